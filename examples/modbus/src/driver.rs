//! What the framework calls.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use mapper_framework::{Device, Discovery, Driver, DriverError, Property, Reading, Reads, Review, Session, Value};
use tokio_modbus::{ExceptionCode, Request, Response};

use crate::{
    codec::Change,
    config::Config,
    discover::{self, discover},
    fault::Fault,
    gateway::{Gateway, Gateways},
    plan::{Span, Table},
    plans::Plans,
    requests,
    review::review,
    visitor::Visitor,
};

/// Serves every device that speaks Modbus.
#[derive(Default)]
pub struct Modbus {
    gateways: Gateways,
}

impl Driver for Modbus {
    type Config = Config;
    type Session = Unit;

    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = discover::ARGS;

    async fn connect(&self, _device: &Device, config: Config) -> Result<Unit, DriverError> {
        let gateway = self.gateways.get(&config.link).map_err(|other| {
            DriverError::refused(format_args!("another device uses {other}: all on one line need the same settings"))
        })?;
        gateway.open(config.terms.within).await.map_err(|error| {
            DriverError::disconnected(format_args!("no connection to {gateway}")).with_source(error)
        })?;
        Ok(Unit { gateway, config, plans: Plans::default(), masks: true })
    }

    fn review(&self, _device: &Device, config: &Config, property: &Property<Visitor>) -> Review {
        review(config.unit_id, &config.limits.forbidden, property)
    }

    fn longest_wait(config: &Config) -> Option<Duration> {
        Some(config.terms.longest())
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        discover(&self.gateways, discovery).await
    }
}

/// One device: a unit on a line or behind a gateway, or the only unit of a device with a network socket of its own.
pub struct Unit {
    gateway: Arc<Gateway>,
    config: Config,
    plans: Plans,
    /// Whether the device knows mask writes, as far as this session has seen.
    masks: bool,
}

impl Session for Unit {
    type Visitor = Visitor;

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        property.visitor().check(property.data_type(), property.access_mode()).map_err(DriverError::refused)
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        let visitor = property.visitor();
        let words = self.fetch(visitor.span()).await.map_err(|fault| fault.at(visitor.span()))?;
        visitor.decode(&words, property.data_type())
    }

    /// Reads neighbours in one request, and hands over what each request gave before it makes the next. A request that is refused
    /// is halved until the register at fault stands alone, so that it costs only its own property. Nothing is remembered: with a
    /// bad register each round takes a few requests more. A missing answer and a lost connection fail for all that have not been read.
    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        let outcome = self.read_round(reads).await;
        if self.config.close_after_round {
            self.gateway.close().await;
        }
        outcome
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let visitor = property.visitor();
        let span = visitor.span();
        let change = visitor.encode(value)?;
        if !span.table.is_writable() {
            return Err(DriverError::refused(format_args!("{span} can only be read, as Modbus has it")));
        }
        self.change(visitor, change).await.map_err(|fault| fault.at(span))
    }
}

impl Unit {
    async fn read_round(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        let properties = reads.properties();
        let plan = self.plans.get(properties, &self.config.limits);
        let mut blocks: Vec<_> = plan.iter().map(Cow::Borrowed).collect();
        while let Some(block) = blocks.pop() {
            match self.fetch(block.span()).await {
                Ok(words) => {
                    let answered = SystemTime::now();
                    for (at, part) in block.parts(&words) {
                        let property = &properties[at];
                        let reading = property.visitor().decode(part, property.data_type());
                        reads.set_at(at, reading.map(|reading| reading.at(answered)));
                    }
                }
                Err(fault) if block.is_merged() && fault.may_spare_a_part() => {
                    blocks.extend(block.halves().map(Cow::Owned));
                }
                Err(fault) if fault.ends_session() => return Err(fault.at(block.span())),
                Err(fault) => block.members().for_each(|(at, span)| reads.set_at(at, Err(fault.at(span)))),
            }
        }
        Ok(())
    }

    /// Writes registers, or some of their bits. The device itself does the latter in one step if it knows mask writes; whether it does
    /// is found out with the first one.
    async fn change(&mut self, visitor: &Visitor, change: Change) -> Result<(), Fault> {
        let span = visitor.span();
        if self.config.limits.forbidden.touches(span) {
            return Err(Fault::Forbidden);
        }
        let Some(mask) = change.mask else { return self.put(visitor, &change.words).await };
        let knows_masks = self.masks && visitor.masks() && span.table == Table::HoldingRegister;
        if let ([mask], [word], true) = (&mask[..], &change.words[..], knows_masks) {
            match self.send(Request::MaskWriteRegister(span.start, !mask, *word)).await {
                Err(Fault::Exception(ExceptionCode::IllegalFunction)) => self.masks = false,
                outcome => return outcome.map(drop),
            }
        }
        let held = self.fetch(span).await?;
        let changed = held.iter().zip(&mask).zip(&change.words).map(|((held, mask), word)| (held & !mask) | word);
        self.put(visitor, &changed.collect::<Vec<_>>()).await
    }

    /// Writes whole registers, or a coil.
    async fn put(&self, visitor: &Visitor, words: &[u16]) -> Result<(), Fault> {
        let span = visitor.span();
        self.send(requests::write(span, words, visitor.writes_multiple())).await.map(drop)
    }

    /// The registers of a span; a bit counts as a register that is 0 or 1.
    async fn fetch(&self, span: Span) -> Result<Vec<u16>, Fault> {
        if self.config.limits.forbidden.touches(span) {
            return Err(Fault::Forbidden);
        }
        let words = requests::words(span, self.send(requests::read(span)).await?).ok_or(Fault::Absent)?;
        let count = usize::from(span.count);
        // Bits come in whole bytes.
        let expected = if span.table.holds_bits() { count.next_multiple_of(8) } else { count };
        if !span.table.is_open() && words.len() != expected {
            return Err(Fault::Length { answered: words.len() });
        }
        Ok(words)
    }

    async fn send(&self, request: Request<'_>) -> Result<Response, Fault> {
        self.gateway.call(self.config.unit_id, request, self.config.terms).await
    }
}
