//! What the device delivers by itself, so that it is not polled.

use super::{End, LiveSession};

impl LiveSession<'_> {
    /// Gives the session its properties, which says which of them are to be polled.
    pub(super) async fn subscribe(&mut self) -> Result<(), End> {
        let drivers = (0..self.task.slots.len()).filter(|&index| !self.task.slots[index].is_of_stream());
        let properties: Vec<_> = drivers.map(|index| self.erased(index)).collect();
        let subscribed = self.task.call("subscribe", self.session.subscribe(&properties)).await?;
        let subscriptions = subscribed.map_err(|error| End::of_deliveries(&error))?;
        for slot in &mut self.task.slots {
            let property = slot.property();
            slot.polled = property.polling().unwrap_or_else(|| !subscriptions.contains(property.name()));
        }
        let slots = &self.task.slots;
        self.strangers.retain(|name| !slots.iter().any(|slot| slot.property().name() == name));
        Ok(())
    }

    /// The properties that are polled, each with its index.
    pub(super) fn polled(&self) -> impl Iterator<Item = usize> {
        self.task.slots.iter().enumerate().filter(|(_, slot)| slot.polled).map(|(index, _)| index)
    }
}
