//! What has become of the records of one batch.

use std::collections::{HashMap, VecDeque};

use crate::sink::Outcome;

/// The most records of QoS 2 on their way. With `max_queued_messages 0`, mosquitto cuts a connection by 3.1.1 that has more of them
/// than its `max_inflight_messages`, which is 20 unless it is set.
const WINDOW_OF_QOS_2: usize = 20;

/// The records of a batch on their way: which may be published now, which waits for what, and what each has come to.
///
/// Records are published by QoS, and among those of one QoS in the order of the batch. So the records of one property, which
/// share a route, keep their order, and those of QoS 2 are never on their way together with others. A broker answers in order among
/// messages of one QoS, so a first answer that cannot be read belongs to the oldest record that has none.
pub(super) struct Flight {
    /// The indices of the records in the order in which they are published.
    order: Vec<usize>,
    /// By the index of the record.
    qos: Vec<u8>,
    /// By the index of the record; `None` until it is settled.
    outcomes: Vec<Option<Outcome>>,
    /// The most records from the oldest unsettled one to the latest published one. It is counted so, and not by those that wait:
    /// the ids of packets are reused in turn, and one that is still in use must not come around.
    window: usize,
    /// The place in the order of the next record to publish.
    next: usize,
    /// The place in the order of the first record that is not settled.
    oldest: usize,
    /// Published and not yet sent, oldest first.
    unsent: VecDeque<usize>,
    /// Sent and not yet settled, by the id of the packet.
    unsettled: HashMap<u16, usize>,
    /// By the index of the record: whether the broker has given the first of the two answers to a message of QoS 2.
    received: Vec<bool>,
}

impl Flight {
    /// Records of these QoS, none of which is on its way yet.
    pub(super) fn new(qos: Vec<u8>, window: usize) -> Self {
        let mut order: Vec<_> = (0..qos.len()).collect();
        order.sort_by_key(|index| qos[*index]);
        let (outcomes, received) = (vec![None; qos.len()], vec![false; qos.len()]);
        let (unsent, unsettled) = (VecDeque::with_capacity(window), HashMap::with_capacity(window));
        Self { order, qos, outcomes, window: window.max(1), next: 0, oldest: 0, unsent, unsettled, received }
    }

    /// The record that is to be published, or settled, now; `None` while others have to be settled first, and at the end.
    pub(super) fn next(&mut self) -> Option<usize> {
        let index = *self.order.get(self.next)?;
        let waiting = self.next - self.oldest;
        let waits = match self.qos[index] {
            2 => waiting >= self.window.min(WINDOW_OF_QOS_2) || (waiting > 0 && self.oldest_qos() < 2),
            _ => waiting >= self.window,
        };
        if waits {
            return None;
        }
        self.next += 1;
        Some(index)
    }

    /// A record has been handed to the library.
    pub(super) fn published(&mut self, index: usize) {
        self.unsent.push_back(index);
    }

    /// The oldest record that was handed over is on the wire, in a packet of this id. Without acknowledgement, which has the id 0,
    /// this is the most that can be known of it.
    pub(super) fn sent(&mut self, id: u16) {
        let Some(index) = self.unsent.pop_front() else { return };
        if id == 0 {
            self.settle(index, Outcome::Accepted);
        } else {
            self.unsettled.insert(id, index);
        }
    }

    /// The broker has the message in the packet of this id, of QoS 2, and will answer once more.
    pub(super) fn received(&mut self, id: u16) {
        if let Some(index) = self.unsettled.get(&id) {
            self.received[*index] = true;
        }
    }

    /// The broker has answered for good to the packet of this id.
    pub(super) fn answered(&mut self, id: u16, outcome: Outcome) {
        if let Some(index) = self.unsettled.remove(&id) {
            self.settle(index, outcome);
        }
    }

    /// What a record has come to.
    pub(super) fn settle(&mut self, index: usize, outcome: Outcome) {
        self.outcomes[index] = Some(outcome);
        while self.order.get(self.oldest).is_some_and(|index| self.outcomes[*index].is_some()) {
            self.oldest += 1;
        }
    }

    /// Settles the oldest record to which the broker has not answered at all. `false` if there is none.
    pub(super) fn settle_oldest(&mut self, outcome: Outcome) -> bool {
        let waits = |index: &&usize| {
            let index = **index;
            self.qos[index] > 0 && self.outcomes[index].is_none() && !self.received[index]
        };
        let Some(index) = self.order[self.oldest..self.next].iter().find(waits).copied() else { return false };
        self.settle(index, outcome);
        true
    }

    /// Whether all records are settled.
    pub(super) fn is_over(&self) -> bool {
        self.oldest == self.order.len()
    }

    /// What each record has come to, in the order of the batch; those that are not settled come again.
    pub(super) fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect()
    }

    fn oldest_qos(&self) -> u8 {
        self.qos[self.order[self.oldest]]
    }
}

/// What a record has come to when the connection has ended before its turn, or before its answer.
fn unanswered() -> Outcome {
    Outcome::retry("the broker has not acknowledged it")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes all that may be, and gives the indices.
    fn publish(flight: &mut Flight) -> Vec<usize> {
        let mut published = Vec::new();
        while let Some(index) = flight.next() {
            flight.published(index);
            published.push(index);
        }
        published
    }

    #[test]
    fn no_more_than_the_window_is_on_its_way() {
        let mut flight = Flight::new(vec![1; 5], 2);
        assert_eq!(publish(&mut flight), [0, 1]);
        flight.sent(1);
        flight.sent(2);
        flight.answered(2, Outcome::Accepted);
        assert!(publish(&mut flight).is_empty(), "the window begins at the oldest one: its id is still in use");
        flight.answered(1, Outcome::Accepted);
        assert_eq!(publish(&mut flight), [2, 3]);
        assert!(!flight.is_over());
    }

    #[test]
    fn each_record_gets_the_answer_to_its_own_packet() {
        let mut flight = Flight::new(vec![1; 3], 10);
        publish(&mut flight);
        for id in [7, 8, 9] {
            flight.sent(id);
        }
        flight.answered(9, Outcome::retry("too early"));
        flight.answered(7, Outcome::Accepted);
        flight.answered(8, Outcome::rejected("too hot"));
        assert!(flight.is_over());
        assert_eq!(
            flight.into_outcomes(),
            [Outcome::Accepted, Outcome::rejected("too hot"), Outcome::retry("too early")]
        );
    }

    #[test]
    fn a_record_without_acknowledgement_is_settled_when_it_is_on_the_wire() {
        let mut flight = Flight::new(vec![0, 0], 10);
        publish(&mut flight);
        flight.sent(0);
        assert!(!flight.is_over());
        flight.sent(0);
        assert!(flight.is_over());
    }

    #[test]
    fn a_record_that_is_not_published_at_all_does_not_hold_up_the_others() {
        let mut flight = Flight::new(vec![1; 3], 1);
        let index = flight.next().unwrap();
        flight.settle(index, Outcome::rejected("too large"));
        assert_eq!(publish(&mut flight), [1]);
        flight.sent(1);
        flight.answered(1, Outcome::Accepted);
        assert_eq!(publish(&mut flight), [2]);
    }

    #[test]
    fn records_of_qos_2_come_last_and_wait_alone() {
        let mut flight = Flight::new(vec![2, 1, 0, 2, 1], 10);
        assert_eq!(publish(&mut flight), [2, 1, 4]);
        for id in [0, 1, 2] {
            flight.sent(id);
        }
        flight.answered(1, Outcome::Accepted);
        assert!(publish(&mut flight).is_empty());
        flight.answered(2, Outcome::Accepted);
        assert_eq!(publish(&mut flight), [0, 3]);
    }

    #[test]
    fn a_record_that_has_the_first_of_two_answers_is_not_the_one_that_is_refused() {
        let mut flight = Flight::new(vec![2; 3], 10);
        publish(&mut flight);
        for id in [1, 2, 3] {
            flight.sent(id);
        }
        flight.received(1);
        assert!(flight.settle_oldest(Outcome::rejected("too large")));
        assert_eq!(flight.into_outcomes(), [unanswered(), Outcome::rejected("too large"), unanswered()]);
    }

    #[test]
    fn an_answer_without_an_id_belongs_to_the_oldest_record_that_has_none() {
        let mut flight = Flight::new(vec![1, 0, 1, 1], 10);
        assert!(!flight.settle_oldest(unanswered()), "nothing is on its way");
        publish(&mut flight);
        for id in [0, 1, 2, 3] {
            flight.sent(id);
        }
        flight.answered(1, Outcome::Accepted);
        assert!(flight.settle_oldest(Outcome::rejected("too large")));
        let rejected = Outcome::rejected("too large");
        assert_eq!(flight.into_outcomes(), [Outcome::Accepted, Outcome::Accepted, rejected, unanswered()]);
    }

    #[test]
    fn answers_that_nobody_waits_for_change_nothing() {
        let mut flight = Flight::new(vec![1], 10);
        flight.sent(4);
        flight.answered(4, Outcome::Accepted);
        assert_eq!(publish(&mut flight), [0]);
        assert_eq!(flight.into_outcomes(), [unanswered()]);
    }
}
