//! What a property's consumer does, as the manifest has it.

use crate::{
    model::{Device, FramePush, Property, Publication, RecordRules, StreamTwin},
    sink::{Endpoint, RouteError, Sinks},
};

use super::{
    ConsumerContext, file,
    publish::{self, PublishPlan},
    push::{self, PushPlan},
};

/// What a consumer does. One whose plan has changed is started anew.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::runtime) enum Plan {
    /// Writes frames to files (`stream: file`).
    File(RecordRules),
    /// Pushes frames to brokers and web servers (`stream: frame`).
    Push(PushPlan),
    /// Publishes the stream to a media server (`stream: rtsp`).
    Publish(PublishPlan),
}

impl Plan {
    /// The plan of a property of the stream, `None` if it only shows something; and what is wrong with where its frames go.
    pub(in crate::runtime) fn of(
        device: &Device,
        property: &Property,
        twin: StreamTwin,
        sinks: &Sinks,
    ) -> (Option<Self>, Vec<RouteError>) {
        match twin {
            StreamTwin::File => (RecordRules::of(property).ok().map(Self::File), Vec::new()),
            StreamTwin::Frame => {
                let (routes, problems) = sinks.frame_routes(device, property);
                let rules = FramePush::of(property).ok().filter(|_| !routes.is_empty());
                (rules.map(|rules| Self::Push(PushPlan { every: rules.every, routes })), problems)
            }
            StreamTwin::Rtsp => {
                let publish = |publication: Publication| {
                    let endpoint = Endpoint::new(&publication.host, publication.port);
                    let server = sinks.media_server(endpoint.named_by("visitors.configData.publishTo"));
                    Self::Publish(PublishPlan::new(publication, server))
                };
                (Publication::of(property).ok().map(publish), Vec::new())
            }
            _ => (None, Vec::new()),
        }
    }

    /// Consumes frames until the consumer is stopped.
    pub(super) async fn run(&self, context: &mut ConsumerContext) {
        match self {
            Self::File(rules) => file::run(rules, context).await,
            Self::Push(plan) => push::run(plan, context).await,
            Self::Publish(plan) => publish::run(plan, context).await,
        }
    }
}
