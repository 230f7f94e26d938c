//! Serves metrics over HTTP, and nothing else.

use super::family;
use super::measures::Measures;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use pghaul_core::{Code, Failure};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// So many scrapes at a time; others wait.
const AT_ONCE: usize = 8;

/// How long a scrape may take in all.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long its header may take.
const HEADER: Duration = Duration::from_secs(5);

/// The longest header in bytes.
const LONGEST: usize = 16 << 10;

const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the address.
///
/// # Errors
/// When it is in use, or not one of this machine.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Code::BadInput, format!("metrics can't be served at {address}"))
            .with_cause(error)
            .with_hint("give another port or address with --metrics-listen, or end the process that uses it")
    })
}

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, measures: Arc<Mutex<Measures>>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let measures = Arc::clone(&measures);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, measures)).await;
                    drop(place);
                });
            }
            // No file descriptor is free, or the peer is gone again.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(stream: TcpStream, measures: Arc<Mutex<Measures>>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = response(&request, &measures);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(LONGEST)
        .keep_alive(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a request for metrics failed");
    }
}

fn response<B>(request: &Request<B>, measures: &Mutex<Measures>) -> Response<Full<Bytes>> {
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, format, text) = match (get, request.uri().path()) {
        (false, _) => (
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET is allowed\n".to_owned(),
        ),
        (true, "/metrics") => {
            let measures = measures.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (StatusCode::OK, FORMAT, family::text(&measures))
        }
        (true, _) => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "metrics are at /metrics\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(format));
    if !get {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::{bind, serve};
    use pghaul_core::Code;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    async fn answer(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses a request may close before it has read all of it.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn only_metrics_are_served() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, Arc::default()));
        let get = |what: &str| format!("{what} HTTP/1.1\r\nHost: here\r\n\r\n");
        let metrics = answer(address, &get("GET /metrics")).await;
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(
            metrics.contains("application/openmetrics-text; version=1.0.0"),
            "{metrics}"
        );
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
        assert!(answer(address, &get("GET /")).await.starts_with("HTTP/1.1 404"));
        assert!(
            answer(address, &get("POST /metrics"))
                .await
                .starts_with("HTTP/1.1 405")
        );
        assert!(
            answer(address, "nonsense\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 400")
        );
        let long = get(&format!("GET /{}", "x".repeat(100_000)));
        assert!(!answer(address, &long).await.contains("200 OK"));
        let refusal = bind(address).await.unwrap_err();
        assert_eq!(refusal.code, Code::BadInput);
        assert!(refusal.message.contains(&address.to_string()), "{refusal}");
        serving.abort();
    }
}
