//! Plans that are kept from one round of reads to the next.

use std::sync::Arc;

use mapper_framework::Property;

use crate::{
    plan::{Block, Limits, plan},
    visitor::Visitor,
};

/// How many plans are kept. Each set of properties that are due together has one, and cycles make few such sets.
const KEPT: usize = 8;

/// The plans of the latest rounds of one device, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Plans(Vec<Plan>);

#[derive(Debug)]
struct Plan {
    /// Kept, so that no other property can have the address of one of them.
    properties: Vec<Arc<Property<Visitor>>>,
    blocks: Arc<[Block]>,
}

impl Plans {
    /// The requests for these properties. The limits have to be the same each time.
    pub(crate) fn get(&mut self, properties: &[Arc<Property<Visitor>>], limits: &Limits) -> Arc<[Block]> {
        match self.0.iter().position(|plan| plan.is_for(properties)) {
            Some(at) => self.0[..=at].rotate_right(1),
            None => {
                self.0.truncate(KEPT - 1);
                let spans = properties.iter().map(|property| property.visitor().span());
                let blocks = plan(spans, limits).into();
                self.0.insert(0, Plan { properties: properties.to_vec(), blocks });
            }
        }
        Arc::clone(&self.0[0].blocks)
    }
}

impl Plan {
    /// Whether it was made for these very properties. What stands in them would be slower to compare than to read.
    fn is_for(&self, properties: &[Arc<Property<Visitor>>]) -> bool {
        let is_same = |(one, other)| Arc::ptr_eq(one, other);
        self.properties.len() == properties.len() && self.properties.iter().zip(properties).all(is_same)
    }
}

#[cfg(test)]
mod tests {
    use mapper_framework::DataType;
    use serde_json::json;

    use super::*;
    use crate::plan::{Span, Table};

    /// A register.
    fn property(address: u16) -> Arc<Property<Visitor>> {
        let visitor = json!({"register": "HoldingRegister", "address": address, "type": "int16"});
        let visitor: Visitor = serde_json::from_value(visitor).expect("the visitor is right");
        Arc::new(Property::builder("property", DataType::Int).visitor(visitor))
    }

    #[test]
    fn a_round_of_the_same_properties_has_the_same_plan_and_one_of_others_has_another() {
        let (mut plans, limits) = (Plans::default(), Limits::default());
        let mut get = |properties: &[Arc<Property<Visitor>>]| plans.get(properties, &limits);
        let [first, second, third] = [0, 1, 5].map(property);
        let three = [&first, &second, &third].map(Arc::clone);
        let (all, some) = (get(&three), get(&three[..1]));
        assert_eq!((all.len(), some.len()), (2, 1));
        for _ in 0..3 {
            assert!(Arc::ptr_eq(&all, &get(&three)) && Arc::ptr_eq(&some, &get(&three[..1])));
        }
        let swapped = get(&[&second, &first, &third].map(Arc::clone));
        let span = Span { table: Table::HoldingRegister, start: 0, count: 1 };
        assert_eq!(swapped[0].members().next(), Some((1, span)), "places count");
        let moved = get(&[property(7), second, third]);
        assert_eq!(moved.len(), 3, "a property that was changed is another one");
    }

    #[test]
    fn the_plan_that_was_not_used_for_the_longest_time_is_given_up() {
        let (mut plans, limits) = (Plans::default(), Limits::default());
        let properties = [property(0)];
        let first = plans.get(&properties, &limits);
        for start in 1..100 {
            let _ = plans.get(&[property(start)], &limits);
            assert!(Arc::ptr_eq(&first, &plans.get(&properties, &limits)));
        }
        assert_eq!(plans.0.len(), KEPT);
    }
}
