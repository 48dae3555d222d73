//! What a property's consumer does, as the manifest has it.

use crate::model::{Property, RecordRules, StreamTwin};

use super::{ConsumerContext, file};

/// What a consumer does. One whose plan has changed is started anew.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::runtime) enum Plan {
    /// Writes frames to files (`stream: file`).
    File(RecordRules),
}

impl Plan {
    /// The plan of a property of the stream; `None` if it only shows something.
    pub(in crate::runtime) fn of(property: &Property, twin: StreamTwin) -> Option<Self> {
        match twin {
            StreamTwin::File => RecordRules::of(property).ok().map(Self::File),
            _ => None,
        }
    }

    /// Consumes frames until the consumer is stopped.
    pub(super) async fn run(&self, context: &mut ConsumerContext) {
        match self {
            Self::File(rules) => file::run(rules, context).await,
        }
    }
}
