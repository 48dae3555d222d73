//! Modbus TCP without the answers that come too late.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{HEADER, Signals, Stray};

/// The rest by the Modbus specification: the unit id and one byte at least, and a PDU of 253 bytes at most.
const REST: std::ops::RangeInclusive<usize> = 2..=254;

/// A stream that hands over the answer to the latest request only.
///
/// tokio-modbus takes the first answer that comes for the one to its latest request, and fails if the transaction ids differ. So one
/// request that was given up would cost the connection. Here the answers to earlier requests are skipped, and those that are handed over
/// are whole: whenever tokio-modbus gives a request up, it is in step for the next one.
#[derive(Debug)]
pub(crate) struct LatestAnswers<S> {
    inner: S,
    requests: Requests,
    /// Bytes that were received, from the start of an answer on or within the one that is being handed over.
    received: Vec<u8>,
    /// How many of them are left of the answer that is being handed over.
    passing: usize,
    signals: Arc<Signals>,
}

impl<S> LatestAnswers<S> {
    pub(crate) fn new(inner: S, signals: Arc<Signals>) -> Self {
        Self { inner, requests: Requests::default(), received: Vec::new(), passing: 0, signals }
    }

    /// Whether something can be handed over. Skips late answers, and one by another unit than was asked.
    fn is_ready(&mut self) -> io::Result<bool> {
        while self.passing == 0 {
            let Some(header) = self.received.first_chunk() else { return Ok(false) };
            let (transaction, rest) = parse(header)?;
            let length = HEADER + rest;
            if self.received.len() < length {
                return Ok(false);
            }
            let unit = self.received[HEADER];
            if self.requests.is_earlier(transaction) {
                self.received.drain(..length);
                self.signals.skipped.store(true, Relaxed);
            } else if transaction == self.requests.latest && unit != self.requests.unit {
                self.received.drain(..length);
                self.signals.stray.send_replace(Stray::OfUnit(unit));
            } else {
                self.passing = length;
            }
        }
        Ok(true)
    }
}

/// The transaction id, and the length of what follows the header.
fn parse(header: &[u8; HEADER]) -> io::Result<(u16, usize)> {
    let &[t, r, p, q, l, n] = header;
    let rest = usize::from(u16::from_be_bytes([l, n]));
    if [p, q] != [0, 0] || !REST.contains(&rest) {
        let message = format!("an answer cannot begin with {header:02x?}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok((u16::from_be_bytes([t, r]), rest))
}

/// What is known of the requests, which are written in pieces of any size.
#[derive(Debug, Default)]
struct Requests {
    /// The transaction id of the latest one.
    latest: u16,
    /// The unit that it is for.
    unit: u8,
    /// The header of the next one and the unit id behind it, as far as they are written.
    header: Vec<u8>,
    /// How many bytes of the latest one are yet to be written.
    rest: usize,
}

impl Requests {
    /// Whether the next byte begins a request.
    fn is_between(&self) -> bool {
        self.header.is_empty() && self.rest == 0
    }

    fn note(&mut self, written: &[u8]) {
        for &byte in written {
            if self.rest > 0 {
                self.rest -= 1;
                continue;
            }
            self.header.push(byte);
            if let [t, r, _, _, l, n, unit] = self.header[..] {
                self.latest = u16::from_be_bytes([t, r]);
                self.unit = unit;
                self.rest = usize::from(u16::from_be_bytes([l, n])).saturating_sub(1);
                self.header.clear();
            }
        }
    }

    /// Whether this is the id of a request before the latest one. They are counted upwards, and around.
    fn is_earlier(&self, transaction: u16) -> bool {
        (1..1 << 15).contains(&self.latest.wrapping_sub(transaction))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LatestAnswers<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while !this.is_ready()? {
            let mut chunk = [0; 512];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut chunk))?;
            // The end. What is left of an answer helps nobody.
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.received.extend_from_slice(chunk.filled());
        }
        let now = this.passing.min(buf.remaining());
        buf.put_slice(&this.received[..now]);
        this.received.drain(..now);
        this.passing -= now;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LatestAnswers<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.requests.is_between() {
            this.signals.drain(&mut this.inner, &mut this.received, cx)?;
        }
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, buf))?;
        this.requests.note(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// A stream with the gateway at its other end, and what is noticed.
    fn stream() -> (LatestAnswers<DuplexStream>, DuplexStream, Arc<Signals>) {
        let ((here, gateway), signals) = (duplex(4096), Arc::default());
        (LatestAnswers::new(here, Arc::clone(&signals)), gateway, signals)
    }

    /// A request or an answer with this id, for unit 1, with this PDU.
    fn adu(transaction: u16, pdu: &[u8]) -> Vec<u8> {
        let length = u16::try_from(1 + pdu.len()).unwrap();
        [&transaction.to_be_bytes()[..], &[0, 0], &length.to_be_bytes(), &[1], pdu].concat()
    }

    /// Reads what is handed over before the stream ends.
    async fn all(stream: &mut LatestAnswers<DuplexStream>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        Ok(all)
    }

    #[tokio::test]
    async fn the_answers_to_earlier_requests_are_skipped() {
        let (mut stream, mut gateway, signals) = stream();
        for transaction in [5, 6, 7] {
            stream.write_all(&adu(transaction, &[3, 0, 0, 0, 1])).await.unwrap();
        }
        let right = adu(7, &[3, 2, 0, 7]);
        gateway.write_all(&[adu(5, &[3, 2, 0, 5]), adu(6, &[0x83, 4]), right.clone()].concat()).await.unwrap();
        drop(gateway);
        assert_eq!(all(&mut stream).await.unwrap(), right);
        assert!(signals.skipped.load(Relaxed));
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_handed_over_as_a_whole_to_a_reader_of_any_size() {
        let (mut stream, mut gateway, signals) = stream();
        // The request, too, is written in pieces, and its data look like another header.
        for piece in adu(7, &[16, 0, 9, 0, 0, 0, 6]).chunks(2) {
            stream.write_all(piece).await.unwrap();
        }
        let answer = adu(7, &[16, 0, 9, 0, 0]);
        let (start, end) = answer.split_at(answer.len() - 1);
        gateway.write_all(start).await.unwrap();
        let mut byte = [0];
        let early = tokio::time::timeout(std::time::Duration::ZERO, stream.read(&mut byte)).await;
        assert!(early.is_err(), "a part of an answer is not handed over");
        gateway.write_all(end).await.unwrap();
        let mut read = Vec::new();
        while read.len() < answer.len() {
            read.push(stream.read_u8().await.unwrap());
        }
        assert_eq!(read, answer);
        assert!(!signals.skipped.load(Relaxed));
    }

    #[tokio::test]
    async fn ids_go_around() {
        let (mut stream, mut gateway, _) = stream();
        for transaction in [0xffff, 0] {
            stream.write_all(&adu(transaction, &[3, 0, 0, 0, 1])).await.unwrap();
        }
        gateway.write_all(&[adu(0xffff, &[3, 2, 0, 5]), adu(0, &[3, 2, 0, 6])].concat()).await.unwrap();
        drop(gateway);
        assert_eq!(all(&mut stream).await.unwrap(), adu(0, &[3, 2, 0, 6]));
    }

    #[tokio::test]
    async fn an_answer_by_another_unit_is_signalled_and_not_handed_over() {
        let (mut stream, mut gateway, signals) = stream();
        let mut stray = signals.stray.subscribe();
        stream.write_all(&adu(5, &[3, 0, 0, 0, 1])).await.unwrap();
        let mut other = adu(5, &[3, 2, 0, 5]);
        other[HEADER] = 9;
        gateway.write_all(&other).await.unwrap();
        drop(gateway);
        assert_eq!(all(&mut stream).await.unwrap(), b"");
        assert_eq!(*stray.borrow_and_update(), Stray::OfUnit(9));
    }

    #[tokio::test]
    async fn an_answer_to_a_request_that_was_never_made_is_handed_over_for_the_client_to_refuse() {
        let (mut stream, mut gateway, signals) = stream();
        stream.write_all(&adu(5, &[3, 0, 0, 0, 1])).await.unwrap();
        gateway.write_all(&adu(6, &[3, 2, 0, 5])).await.unwrap();
        drop(gateway);
        assert_eq!(all(&mut stream).await.unwrap(), adu(6, &[3, 2, 0, 5]));
        assert!(!signals.skipped.load(Relaxed));
    }

    #[tokio::test]
    async fn a_request_is_not_sent_when_the_other_end_has_closed_the_connection() {
        let (mut stream, gateway, signals) = stream();
        drop(gateway);
        let error = stream.write_all(&adu(5, &[3, 0, 0, 0, 1])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(signals.closed.load(Relaxed));
    }

    #[tokio::test]
    async fn what_is_not_modbus_is_an_error() {
        for garbage in [&b"HTTP/1.1"[..], &[0, 1, 0, 0, 0, 1, 1], &[0, 1, 0, 0, 1, 0, 1]] {
            let (mut stream, mut gateway, _) = stream();
            gateway.write_all(garbage).await.unwrap();
            let error = all(&mut stream).await.unwrap_err();
            assert!(error.to_string().starts_with("an answer cannot begin with ["), "{error}");
        }
    }
}
