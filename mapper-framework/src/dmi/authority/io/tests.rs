use std::future::poll_fn;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::super::testing::{Encoder, Framing, LEGAL, PREFACE, RAW, Spelling, authorities, call_block, frame};
use super::*;

fn connection(authority: &str) -> Vec<u8> {
    let block = call_block(&mut Encoder::new(), authority, Spelling::GO);
    [PREFACE, &Framing::default().frames(1, &block), &frame(0, 1, 1, &[0xaa; 3_000])].concat()
}

#[tokio::test]
async fn a_reader_of_any_size_gets_the_whole_connection() {
    for (pipe, room) in [(1, 1), (7, 64), (64, 1), (64, 7), (8_192, 13), (8_192, 8_192)] {
        let (mut client, server) = duplex(pipe);
        let mut server = SanitisedStream::new(server);
        let sent = tokio::spawn(async move { client.write_all(&connection(RAW)).await });
        let mut read = Vec::new();
        let mut buf = vec![0; room];
        loop {
            match server.read(&mut buf).await.expect("no error") {
                0 => break,
                n => read.extend_from_slice(&buf[..n]),
            }
        }
        sent.await.expect("no panic").expect("no error");
        assert_eq!(authorities(&read[PREFACE.len()..]), [LEGAL], "pipe of {pipe}, room of {room}");
    }
}

#[tokio::test]
async fn a_hostile_client_is_an_error_of_invalid_data() {
    let (mut client, server) = duplex(1_024);
    client.write_all(&[PREFACE, &frame(0x1, 0, 1, &[]), &frame(0x0, 0, 1, &[])].concat()).await.expect("room");
    let mut read = Vec::new();
    let error = SanitisedStream::new(server).read_to_end(&mut read).await.expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<AuthorityError>());
    assert_eq!(reason, Some(&AuthorityError::Interrupted));
}

#[tokio::test]
async fn an_error_comes_without_bytes() {
    let (mut client, server) = duplex(1_024);
    client.write_all(&[PREFACE, &frame(0x1, 0, 1, &[]), &frame(0x0, 0, 1, &[])].concat()).await.expect("room");
    let mut server = SanitisedStream::new(server);
    let mut space = [0; 1_024];
    let mut buf = ReadBuf::new(&mut space);
    poll_fn(|cx| Pin::new(&mut server).poll_read(cx, &mut buf)).await.expect_err("refused");
    assert!(buf.filled().is_empty());
}

#[tokio::test]
async fn a_client_that_goes_in_mid_block_is_an_end() {
    let (mut client, server) = duplex(1_024);
    client.write_all(&connection(RAW)[..40]).await.expect("room");
    drop(client);
    let mut read = Vec::new();
    SanitisedStream::new(server).read_to_end(&mut read).await.expect("an end");
    assert_eq!(read, PREFACE);
}

#[tokio::test]
async fn writes_go_straight_to_the_socket() {
    let (mut client, server) = duplex(1_024);
    let mut server = SanitisedStream::new(server);
    server.write_all(&connection(RAW)[..100]).await.expect("room");
    server.shutdown().await.expect("open");
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.expect("no error");
    assert_eq!(read, connection(RAW)[..100]);
}

#[tokio::test]
async fn a_substituting_writer_sends_all_through_a_narrow_pipe() {
    for pipe in [1, 5, 8_192] {
        let (client, mut server) = duplex(pipe);
        let mut client = SubstitutingStream::new(client, LEGAL, RAW).expect("of one length");
        let sent = tokio::spawn(async move {
            for part in connection(LEGAL).chunks(100) {
                client.write_all(part).await?;
            }
            client.shutdown().await
        });
        let mut read = Vec::new();
        server.read_to_end(&mut read).await.expect("no error");
        sent.await.expect("no panic").expect("no error");
        assert_eq!(authorities(&read[PREFACE.len()..]), [RAW], "pipe of {pipe}");
    }
}

#[tokio::test]
async fn a_flush_waits_for_what_the_pipe_did_not_take() {
    let (client, mut server) = duplex(16);
    let mut client = SubstitutingStream::new(client, LEGAL, RAW).expect("of one length");
    let written = client.write(&connection(LEGAL)).await.expect("accepted");
    assert_eq!(written, connection(LEGAL).len());
    assert!(client.flush().now_or_never().is_none(), "nobody has read");

    let mut read = Vec::new();
    let flush = async move { client.flush().await };
    let (flushed, all) = tokio::join!(flush, server.read_to_end(&mut read));
    flushed.and(all).expect("no error");
    assert_eq!(authorities(&read[PREFACE.len()..]), [RAW]);
}
