//! What a user of the handle wants to be read.

use super::{
    super::{
        handle::OperationError,
        order::{Answer, Operation, Order},
        slot::Origin,
    },
    End, LiveSession,
};

impl LiveSession<'_> {
    /// Reads the properties of an order out of turn. Consumers get what was read as any other sample.
    pub(super) async fn look_for(
        &mut self,
        operation: &Operation,
    ) -> (Result<Answer, OperationError>, Result<(), End>) {
        let indices = match self.check_wanted(operation).and_then(|()| self.places(&operation.order)) {
            Ok(indices) => indices,
            Err(error) => return (Err(error), Ok(())),
        };
        let device = self.task.id().clone();
        let (of_stream, drivers) = self.apart(&indices);
        let (mut results, ended) = if drivers.is_empty() { (Vec::new(), Ok(())) } else { self.collect(&drivers).await };
        let status = self.task.context.frames.status();
        results.extend(of_stream.iter().map(|&index| (index, self.stream_reading(index, &status))));
        let (mut samples, mut failed) = (Vec::with_capacity(indices.len()), None);
        for (index, result) in results {
            let has_come = result.is_ok();
            match result.and_then(|reading| self.sample(index, reading)) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => {
                    if !self.task.slots[index].is_of_stream() {
                        self.failed(index, &error, Origin::Read, has_come);
                    }
                    failed.get_or_insert((index, error));
                }
            }
        }
        self.publish(&samples, Origin::Read);
        if let Err(end) = ended {
            return (Err(OperationError::Unavailable { device, reason: end.to_string() }), Err(end));
        }
        let Some((index, error)) = failed else {
            if !drivers.is_empty() {
                self.has_answered();
            }
            let read = samples.into_iter().map(|(_, sample)| sample).collect();
            return (Ok(Answer::new(Vec::new(), read)), Ok(()));
        };
        let (property, reason) = (self.task.slots[index].property().name().to_owned(), error.to_string());
        let end = if error.is_disconnected() { Err(End::Closed(reason.clone())) } else { Ok(()) };
        let failure = if error.is_retryable() {
            OperationError::Failed { device, property, reason }
        } else {
            OperationError::Refused { device, property, reason }
        };
        (Err(failure), end)
    }

    /// The properties of an order, by their index.
    fn places(&self, order: &Order) -> Result<Vec<usize>, OperationError> {
        let place = |name: &String| {
            let index = self.task.slots.iter().position(|slot| slot.property().name() == name);
            index.ok_or_else(|| self.missing("property", name))
        };
        order.reads.iter().map(place).collect()
    }
}
