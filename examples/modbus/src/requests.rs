//! The requests that read and write a span, and what their answers hold.

use tokio_modbus::{Request, Response, prelude::ReadCode};

use crate::plan::{Span, Table};

const READ_FILE_RECORD: u8 = 20;
const WRITE_FILE_RECORD: u8 = 21;
const READ_FIFO_QUEUE: u8 = 24;

/// What a reference to a file begins with, by the Modbus specification.
const REFERENCE: u8 = 6;

pub(crate) fn read(Span { table, start, count }: Span) -> Request<'static> {
    match table {
        Table::Coil => Request::ReadCoils(start, count),
        Table::DiscreteInput => Request::ReadDiscreteInputs(start, count),
        Table::HoldingRegister => Request::ReadHoldingRegisters(start, count),
        Table::InputRegister => Request::ReadInputRegisters(start, count),
        Table::FileRecord(file) => {
            let reference = [&[7, REFERENCE][..], &bytes(&[file, start, count])].concat();
            Request::Custom(READ_FILE_RECORD, reference.into())
        }
        Table::FifoQueue => Request::Custom(READ_FIFO_QUEUE, bytes(&[start]).into()),
        Table::DeviceIdentification => {
            // By the whole category, since there are devices that give no single object.
            let (category, object) = match u8::try_from(start).unwrap_or(u8::MAX) {
                object @ 0..=2 => (ReadCode::Basic, object),
                object @ 3..=0x7f => (ReadCode::Regular, object),
                object => (ReadCode::Extended, object),
            };
            Request::ReadDeviceIdentification(category, object)
        }
    }
}

/// Writes whole registers, or coils. `multiple` is for devices that have no request for a single one.
pub(crate) fn write(span: Span, words: &[u16], multiple: bool) -> Request<'static> {
    let start = span.start;
    match (span.table, words) {
        (Table::Coil, [bit]) if !multiple => Request::WriteSingleCoil(start, *bit != 0),
        (Table::Coil, bits) => Request::WriteMultipleCoils(start, bits.iter().map(|bit| *bit != 0).collect()),
        (Table::FileRecord(file), words) => {
            let data = bytes(words);
            let length = u8::try_from(7 + data.len()).expect("a record fits into a request");
            let reference = bytes(&[file, start, span.count]);
            Request::Custom(WRITE_FILE_RECORD, [&[length, REFERENCE][..], &reference, &data].concat().into())
        }
        (_, [word]) if !multiple => Request::WriteSingleRegister(start, *word),
        (_, words) => Request::WriteMultipleRegisters(start, words.to_vec().into()),
    }
}

/// The registers of an answer. A bit counts as a register that is 0 or 1; a text has two bytes in each. None if the device does not have
/// this object of an identification.
pub(crate) fn words(span: Span, answer: Response) -> Option<Vec<u16>> {
    Some(match answer {
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => bits.into_iter().map(u16::from).collect(),
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => words,
        // Behind the lengths of the answer and of the record, and the reference.
        Response::Custom(READ_FILE_RECORD, data) => of_bytes(data.get(3..).unwrap_or_default()),
        // Behind the length of the answer and the number of values.
        Response::Custom(READ_FIFO_QUEUE, data) => of_bytes(data.get(4..).unwrap_or_default()),
        Response::ReadDeviceIdentification(answer) => {
            let found = answer.device_id_objects.iter().find(|object| u16::from(object.id) == span.start);
            of_bytes(&found?.value)
        }
        // Answers to other requests do not get through the client.
        _ => Vec::new(),
    })
}

fn bytes(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The last byte may stand alone.
fn of_bytes(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])).collect()
}
