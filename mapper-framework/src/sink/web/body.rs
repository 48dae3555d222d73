//! What is read of a foreign answer: never more than was meant. Every sink that speaks HTTP reads bodies by these functions.

use reqwest::{
    Response,
    header::{CONTENT_ENCODING, HeaderMap},
};

use super::super::SinkError;

/// The most of a body where little is expected: an acknowledgement, or an error.
const SMALL: usize = 64 << 10;

/// The most of an answer to a statement that gives no rows.
pub(in crate::sink) const STATEMENT: usize = 1 << 20;

/// The most of an answer to a question for history: 100,000 points, which is as many as can be asked for, have some 160 bytes each.
pub(in crate::sink) const HISTORY: usize = crate::sink::history::ANSWER_BYTES;

/// The most characters of an error's body that are repeated.
const EXCERPT: usize = 300;

/// The beginning of the body, which is all of it where the server is sane. To read it lets the connection serve the next request.
/// What is lost on the way is no reason to doubt the status, which has come already.
pub(in crate::sink) async fn body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < SMALL
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(SMALL - body.len())]);
    }
    body
}

/// The whole body, as far as it is not longer than this.
///
/// # Errors
///
/// It is longer, which costs the connection; it is compressed, which nobody has asked for; or it breaks off.
pub(in crate::sink) async fn whole(mut response: Response, most: usize) -> Result<Vec<u8>, SinkError> {
    let too_long = || {
        SinkError::disconnected(format_args!(
            "the answer is longer than {} KiB, the most that is read of such a one: is this the right server? Of a history, ask for fewer points",
            most >> 10
        ))
    };
    if let Some(encoding) = encoding(response.headers()) {
        return Err(SinkError::disconnected(format_args!(
            "the answer is compressed ({encoding}), which was not asked for"
        )));
    }
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(super::unanswered)? {
        if body.len() + chunk.len() > most {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a body as something, by its bytes: at once if it is small, else on a thread where it holds nobody up.
pub(in crate::sink) async fn parsed<T: Send + 'static>(
    body: Vec<u8>,
    parse: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, SinkError> {
    if body.len() <= SMALL {
        return Ok(parse(&body));
    }
    Ok(tokio::task::spawn_blocking(move || parse(&body)).await?)
}

/// The beginning of an error's body, for people. What is no text is not repeated, but described.
pub(in crate::sink) fn excerpt(headers: &HeaderMap, body: &[u8]) -> String {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let bytes = body.len();
    if let Some(encoding) = encoding(headers) {
        return format!("({bytes} bytes, compressed by {encoding})");
    }
    if body.starts_with(GZIP) {
        return format!("({bytes} bytes, compressed by gzip)");
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let begin = text.chars().take(EXCERPT);
    let is_text = |character: char| !character.is_control() || character.is_whitespace();
    // The last character may have been cut.
    if begin.clone().all(|character| is_text(character) && character != char::REPLACEMENT_CHARACTER) {
        begin.collect()
    } else {
        format!("({bytes} bytes that are no text)")
    }
}

/// By what a body is compressed.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("unknown").trim().to_ascii_lowercase();
    let known: String = text.chars().filter(char::is_ascii_graphic).take(20).collect();
    (!known.is_empty() && known != "identity").then_some(known)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use reqwest::{Client, header::HeaderValue};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    /// A server that answers with this head and then with this for ever, and how much it got rid of.
    struct Endless {
        url: String,
        sent: Arc<AtomicUsize>,
        serving: JoinHandle<()>,
    }

    impl Endless {
        async fn start(head: &'static str, body: &'static [u8]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let sent = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&sent);
            let serving = tokio::spawn(async move {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                assert!(connection.read(&mut request).await.unwrap() > 0, "a request comes");
                connection.write_all(head.as_bytes()).await.unwrap();
                while let Ok(bytes) = connection.write(body).await {
                    counter.fetch_add(bytes, Relaxed);
                }
            });
            Self { url, sent, serving }
        }

        /// How much was sent in all, once the client has hung up.
        async fn sent(self) -> usize {
            self.serving.await.unwrap();
            self.sent.load(Relaxed)
        }
    }

    async fn get(url: &str) -> Response {
        drop(rustls::crypto::ring::default_provider().install_default());
        Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap()
    }

    /// What lies in the buffers of the system and of the client, more than enough.
    const BUFFERS: usize = 16 << 20;

    const ENDLESS: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const BYTES: &[u8] = &[b'0'; 1 << 16];

    #[tokio::test]
    async fn an_answer_without_end_is_read_up_to_the_most_and_costs_the_connection() {
        let server = Endless::start(ENDLESS, BYTES).await;
        let error = whole(get(&server.url).await, STATEMENT).await.unwrap_err();
        assert!(error.is_disconnected() && error.to_string().contains("1024 KiB"), "{error}");
        let sent = server.sent().await;
        assert!((STATEMENT / 2..STATEMENT + BUFFERS).contains(&sent), "{sent}");
    }

    #[tokio::test]
    async fn of_an_acknowledgement_without_end_only_the_beginning_is_read() {
        let server = Endless::start(ENDLESS, BYTES).await;
        assert_eq!(body(get(&server.url).await).await.len(), SMALL);
        assert!(server.sent().await < BUFFERS);
    }

    #[tokio::test]
    async fn an_answer_that_says_how_long_it_is_is_not_read_at_all_if_that_is_too_much() {
        let server = Endless::start("HTTP/1.1 200 OK\r\ncontent-length: 734003200\r\n\r\n", BYTES).await;
        assert!(whole(get(&server.url).await, HISTORY).await.unwrap_err().is_disconnected());
        assert!(server.sent().await < BUFFERS);
    }

    #[tokio::test]
    async fn a_compressed_answer_is_not_taken_for_another() {
        let server = Endless::start("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\n", BYTES).await;
        let error = whole(get(&server.url).await, STATEMENT).await.unwrap_err().to_string();
        assert!(error.contains("compressed (br)"), "{error}");
    }

    #[tokio::test]
    async fn a_large_body_is_parsed_elsewhere_with_the_same_result() {
        for length in [3, SMALL + 1] {
            let here = std::thread::current().id();
            let (count, at) = parsed(vec![7; length], |body| (body.len(), std::thread::current().id())).await.unwrap();
            assert_eq!((count, at == here), (length, length <= SMALL));
        }
    }

    #[test]
    fn an_error_is_repeated_where_it_is_text_and_described_where_it_is_not() {
        let mut headers = HeaderMap::new();
        assert_eq!(excerpt(&headers, b" no such\r\n\tbucket \n"), "no such\r\n\tbucket");
        assert_eq!(excerpt(&headers, "größer".as_bytes()), "größer");
        assert_eq!(excerpt(&headers, &[b'x'; 1_000]), "x".repeat(300));
        assert_eq!(excerpt(&headers, b""), "");
        assert_eq!(excerpt(&headers, &[0x1f, 0x8b, 8, 0]), "(4 bytes, compressed by gzip)");
        assert_eq!(excerpt(&headers, &[0xff, 0xfe, 0]), "(3 bytes that are no text)");
        assert_eq!(excerpt(&headers, b"\x1b[31mred"), "(8 bytes that are no text)");
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("deflate"));
        assert_eq!(excerpt(&headers, b"text"), "(4 bytes, compressed by deflate)");
    }
}
