//! Modbus RTU for a client of Modbus TCP.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use crc::{CRC_16_MODBUS, Crc};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{HEADER, Signals, Stray};

const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// The most bytes of a frame by the Modbus specification.
const LONGEST: usize = 256;

/// The most bytes among which an answer is looked for: a frame whose length is not clear by then is none.
const MOST: usize = 4 * LONGEST;

/// A stream that sends each request of Modbus TCP as a frame of Modbus RTU, and hands over the answer likewise.
///
/// tokio-modbus has a client for RTU, too, which finds no end of an answer to function 20 that comes in pieces, and takes an answer of
/// any length. Here bytes that cannot begin the answer are skipped, as are those that came before the request, and what is damaged or
/// answers something else is signalled at once, so that the request can be repeated without waiting for its timeout.
#[derive(Debug)]
pub(crate) struct Rtu<S> {
    inner: S,
    /// What the client has written of requests that are not sent yet.
    written: Vec<u8>,
    /// What is left to send of the latest request.
    outgoing: Vec<u8>,
    /// The latest request, while it has no answer.
    request: Option<Request>,
    received: Vec<u8>,
    /// What is left to hand over of an answer.
    answer: Vec<u8>,
    signals: Arc<Signals>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Rtu<S> {
    pub(crate) fn new(inner: S, signals: Arc<Signals>) -> Self {
        let (written, outgoing, received, answer) = Default::default();
        Self { inner, written, outgoing, request: None, received, answer, signals }
    }

    /// Makes a frame of the latest request that is written, if one is.
    fn take_request(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some((header, rest)) = self.written.split_first_chunk::<HEADER>() {
            let [t, r, _, _, l, n] = *header;
            let Some(adu) = rest.get(..u16::from_be_bytes([l, n]).into()) else { break };
            let request = Request { transaction: [t, r], adu: adu.to_vec() };
            self.written.drain(..HEADER + request.adu.len());
            self.signals.drain(&mut self.inner, &mut self.received, cx)?;
            self.received.clear();
            self.answer.clear();
            self.outgoing = [&request.adu[..], &CHECKSUM.checksum(&request.adu).to_le_bytes()].concat();
            self.request = Some(request);
        }
        Ok(())
    }

    /// Looks for the answer in what was received. Noise may look like the beginning of one, so that each place is looked at.
    fn take_answer(&mut self) {
        let Some(request) = &self.request else { return self.received.clear() };
        let [unit, function] = [request.adu[0], request.adu[1]];
        let begins = |at: &usize| {
            let code = self.received.get(at + 1);
            self.received[*at] == unit && code.is_none_or(|code| code & 0x7f == function)
        };
        let Some(first) = (0..self.received.len()).find(begins) else { return self.received.clear() };
        let mut places = (first..self.received.len()).filter(begins);
        let answer = places.find_map(|at| whole(&self.received[at..]).filter(|adu| request.is_answered_by(adu)));
        if let Some(adu) = answer {
            let size = u16::try_from(adu.len()).expect("a frame is short").to_be_bytes();
            self.answer = [&request.transaction[..], &[0, 0], &size, adu].concat();
            self.request = None;
            return self.received.clear();
        }
        self.received.drain(..first);
        let ends = length(&self.received).is_some_and(|length| length > LONGEST || length <= self.received.len());
        if ends || self.received.len() > MOST {
            self.signals.stray.send_replace(Stray::Damaged);
            self.received.clear();
        }
    }
}

/// A request without the header of Modbus TCP: unit, function, and its data.
#[derive(Debug)]
struct Request {
    transaction: [u8; 2],
    adu: Vec<u8>,
}

impl Request {
    /// Whether an answer of the right unit and function answers it: with as many registers, or about the same address.
    fn is_answered_by(&self, adu: &[u8]) -> bool {
        let word =
            |at: usize| self.adu.get(at..at + 2).map_or(0, |word| usize::from(u16::from_be_bytes([word[0], word[1]])));
        match adu[1] {
            1 | 2 => usize::from(adu[2]) == word(4).div_ceil(8),
            3 | 4 => usize::from(adu[2]) == word(4) * 2,
            5 | 6 | 15 | 16 | 22 => adu.get(2..6) == self.adu.get(2..6),
            _ => true,
        }
    }
}

/// How long the frame is that begins with these bytes, once they say so.
fn length(frame: &[u8]) -> Option<usize> {
    const ENDS: usize = 2;
    let byte = |at: usize| frame.get(at).copied().map(usize::from);
    let length = match byte(1)? {
        0x81.. => 3,
        5 | 6 | 15 | 16 => 6,
        22 => 8,
        24 => 4 + byte(2)? * 256 + byte(3)?,
        43 => {
            let mut end = 8;
            for _ in 0..byte(7)? {
                end += 2 + byte(end + 1)?;
            }
            end
        }
        _ => 3 + byte(2)?,
    };
    Some(length + ENDS)
}

/// The frame that begins with these bytes, without its checksum, if all of it is there and the checksum is right.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let frame = bytes.get(..length(bytes)?)?;
    let (adu, checksum) = frame.split_last_chunk()?;
    (CHECKSUM.checksum(adu).to_le_bytes() == *checksum).then_some(adu)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Rtu<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.answer.is_empty() {
            let mut chunk = [0; LONGEST];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.received.extend_from_slice(chunk.filled());
            this.take_answer();
        }
        let now = this.answer.len().min(buf.remaining());
        buf.put_slice(&this.answer[..now]);
        this.answer.drain(..now);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Rtu<S> {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().written.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.take_request(cx)?;
        while !this.outgoing.is_empty() {
            let sent = ready!(Pin::new(&mut this.inner).poll_write(cx, &this.outgoing))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.outgoing.drain(..sent);
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// The client's stream and the line, over which this request, in the form of Modbus TCP, has gone.
    async fn asked(pdu: &[u8]) -> (Rtu<DuplexStream>, DuplexStream, Arc<Signals>) {
        let ((here, mut line), signals) = (duplex(4096), Arc::<Signals>::default());
        let mut stream = Rtu::new(here, Arc::clone(&signals));
        line.write_all(b"stale").await.unwrap();
        let length = u8::try_from(1 + pdu.len()).unwrap();
        stream.write_all(&[&[0, 7, 0, 0, 0, length, 1], pdu].concat()).await.unwrap();
        stream.flush().await.unwrap();
        let mut sent = vec![0; pdu.len() + 3];
        line.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, framed(pdu));
        (stream, line, signals)
    }

    /// A frame of unit 1.
    fn framed(pdu: &[u8]) -> Vec<u8> {
        let adu = [&[1], pdu].concat();
        [&adu[..], &CHECKSUM.checksum(&adu).to_le_bytes()].concat()
    }

    /// What is handed over before the line ends.
    async fn handed_over(mut stream: Rtu<DuplexStream>, line: DuplexStream) -> Vec<u8> {
        drop(line);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all
    }

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        // The example of "Modbus over serial line", unit 2, function 7.
        assert_eq!(CHECKSUM.checksum(&[2, 7]).to_le_bytes(), [0x41, 0x12]);
    }

    #[tokio::test]
    async fn an_answer_is_found_behind_stale_bytes_and_noise_in_pieces_of_any_size() {
        let identification = [43, 14, 1, 1, 0, 0, 2, 0, 2, b'a', b'b', 1, 1, b'c'];
        for (request, answer) in [
            (&[3, 0, 0, 0, 2][..], &[3, 4, 1, 3, 1, 3][..]),
            (&[1, 0, 0, 0, 9], &[1, 2, 0xff, 1]),
            (&[6, 0, 1, 0, 5], &[6, 0, 1, 0, 5]),
            (&[22, 0, 4, 0, 0xf2, 0, 0x25], &[22, 0, 4, 0, 0xf2, 0, 0x25]),
            (&[20, 7, 6, 0, 4, 0, 1, 0, 1], &[20, 4, 3, 6, 0x0d, 0xfe]),
            (&[24, 4, 0xde], &[24, 0, 6, 0, 2, 1, 0xb8, 0x12, 0x84]),
            (&[43, 14, 1, 0], &identification),
            (&[3, 0, 0, 0, 2], &[0x83, 2]),
        ] {
            let (mut stream, mut line, signals) = asked(request).await;
            let noisy = [&[0, 0xff, 1, 0][..], &framed(answer)].concat();
            let mut read = vec![0; HEADER + 1 + answer.len()];
            let slowly = async {
                for byte in noisy {
                    line.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let (_, outcome) = tokio::join!(slowly, stream.read_exact(&mut read));
            outcome.unwrap();
            let length = u8::try_from(1 + answer.len()).unwrap();
            assert_eq!(read, [&[0, 7, 0, 0, 0, length, 1], answer].concat());
            assert!(!signals.stray.subscribe().has_changed().unwrap());
        }
    }

    #[tokio::test]
    async fn what_is_damaged_or_answers_something_else_is_signalled_and_not_handed_over() {
        let mut damaged = framed(&[3, 2, 0, 5]);
        damaged[4] ^= 1;
        let endless = [1, 43, 14, 1, 1, 0, 0, 3, 0, 255].into_iter().chain([0; 400]).collect();
        // Objects of an identification, of which there is always another one.
        let unending: Vec<u8> = [1, 43, 14, 1, 1, 0, 0, 255].into_iter().chain([9; 10].repeat(MOST / 10)).collect();
        for (request, line_says) in [
            (&[3, 0, 0, 0, 1][..], damaged),
            (&[3, 0, 0, 0, 1], framed(&[3, 4, 0, 5, 0, 6])),
            (&[6, 0, 1, 0, 5], framed(&[6, 0, 2, 0, 5])),
            (&[24, 0, 0], framed(&[24, 9, 9, 0])),
            (&[43, 14, 1, 0], endless),
            (&[43, 14, 1, 0], unending),
        ] {
            let (stream, mut line, signals) = asked(request).await;
            let mut stray = signals.stray.subscribe();
            line.write_all(&line_says).await.unwrap();
            assert_eq!(handed_over(stream, line).await, b"", "{request:?}");
            assert!(stray.has_changed().unwrap(), "{request:?}");
            stray.mark_unchanged();
        }
    }

    #[tokio::test]
    async fn noise_that_looks_like_the_beginning_of_an_answer_hides_none() {
        // The unit, the function, and a count of bytes that never come.
        let (stream, mut line, signals) = asked(&[3, 0, 0, 0, 1]).await;
        line.write_all(&[&[1, 3, 40][..], &framed(&[3, 2, 0, 6])].concat()).await.unwrap();
        assert_eq!(handed_over(stream, line).await, [0, 7, 0, 0, 0, 5, 1, 3, 2, 0, 6]);
        assert!(!signals.stray.subscribe().has_changed().unwrap());
    }

    #[tokio::test]
    async fn another_units_answer_is_skipped() {
        let (stream, mut line, _) = asked(&[3, 0, 0, 0, 1]).await;
        line.write_all(&[2, 3, 2, 0, 5, 0x3d, 0x87]).await.unwrap();
        line.write_all(&framed(&[3, 2, 0, 6])).await.unwrap();
        assert_eq!(handed_over(stream, line).await, [0, 7, 0, 0, 0, 5, 1, 3, 2, 0, 6]);
    }
}
