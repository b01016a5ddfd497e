//! The real listener: sockets, WebSocket handshakes, files, health.

use std::sync::Arc;

use rpc::{Adopt, AdoptedSocket, Protocol};
use runtime::{HttpLimits, Tasks};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::world::{World, config};

struct Taker(mpsc::UnboundedSender<AdoptedSocket>);

impl Adopt for Taker {
    fn adopt(&self, socket: AdoptedSocket) {
        self.0.send(socket).unwrap();
    }
}

struct Server {
    address: std::net::SocketAddr,
    tasks: Tasks,
    adopted: mpsc::UnboundedReceiver<AdoptedSocket>,
    _world: World,
}

async fn server(http: HttpLimits) -> Server {
    let world = World::empty(config()).await;
    let (taker, adopted) = mpsc::unbounded_channel();
    let mut deps = world.app.deps.clone();
    deps.adopt = Some(Arc::new(Taker(taker)));
    deps.metrics = runtime::telemetry::Metrics::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new();
    let config = api::role::Config { http, ..config() };
    let serving = api::role::run(config, deps, listener, tasks.clone());
    tasks.spawn("http", runtime::OnEnd::Stop, serving);
    Server { address, tasks, adopted, _world: world }
}

/// Sends bytes and reads what comes back until the server closes.
async fn exchange(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(server: &Server, path: &str, headers: &str) -> String {
    exchange(server, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")).await
}

const KEY: &str =
    "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn an_upgraded_socket_is_handed_on_with_what_came_early() {
    let mut server = server(HttpLimits::default()).await;
    for (path, protocol) in [("/realtime/v1/socket", Protocol::Own), ("/rtm/socket", Protocol::Rtm)] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!(
            "GET {path}?x=1&ticket=T0-abc HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\norigin: http://o\r\n{KEY}\r\nearly"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let adopted = server.adopted.recv().await.unwrap();
        assert_eq!((adopted.protocol, adopted.ticket.as_str()), (protocol, "T0-abc"));
        assert_eq!(
            (adopted.early.as_ref(), adopted.origin.as_deref()),
            (b"early".as_slice(), Some("http://o"))
        );
        // The socket itself is handed on: what is written to it arrives.
        let rpc::AdoptedStream::Tcp(theirs) = adopted.stream else { panic!("not a TCP stream") };
        let mut taken = TcpStream::from_std(theirs).unwrap();
        taken.write_all(b"frame").await.unwrap();
        let mut frame = [0; 5];
        stream.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"frame");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_refused() {
    let server = server(HttpLimits::default()).await;
    let path = "/realtime/v1/socket?ticket=x";
    let upgrade = "connection: upgrade\r\n";
    for (what, path, headers, expect) in [
        ("no upgrade", path, String::new(), "426"),
        ("another version", path, format!("{upgrade}{}", KEY.replace("13", "8")), "426"),
        ("a short key", path, format!("{upgrade}{}", KEY.replace("dGhlIHNhbXBsZSBub25jZQ==", "eA==")), "400"),
        ("no ticket", "/realtime/v1/socket", format!("{upgrade}{KEY}"), "403"),
        ("an empty ticket", "/rtm/socket?ticket=", format!("{upgrade}{KEY}"), "403"),
    ] {
        let answer = get(&server, path, &headers).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect} ")), "{what}: {answer}");
    }
    let post = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\n{KEY}\r\n");
    assert!(exchange(&server, &post).await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn health_metrics_and_pages_are_served() {
    let server = server(HttpLimits::default()).await;
    assert!(get(&server, "/healthz", "").await.ends_with("ok\n"));
    assert!(get(&server, "/readyz", "").await.starts_with("HTTP/1.1 200 "));
    get(&server, "/api/api.test?error=secret-label", "").await;
    get(&server, "/api/never.heard-of", "").await;
    let metrics = get(&server, "/metrics", "").await;
    assert!(
        metrics.contains(r#"parlance_api_requests_total{method="api.test",error="(given)"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"{method="",error="unknown_method"} 1"#), "{metrics}");
    assert!(!metrics.contains("secret-label") && !metrics.contains("heard-of"));
    for path in ["/", "/client/C1", "/invite/x"] {
        let page = get(&server, path, "").await;
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("content-type: text/html"), "{page}");
        assert!(page.contains("frame-ancestors 'none'") && page.contains("x-content-type-options: nosniff"));
    }
    for path in ["/assets/missing.js", "/missing.png", "/../Cargo.toml", "/assets/../../Cargo.toml"] {
        let missing = get(&server, path, "").await;
        assert!(missing.starts_with("HTTP/1.1 404 "), "{path}: {missing}");
    }
    for path in ["/api", "/api/", "/api/a/b", "/api/x%ff", "/realtime/v1/nope"] {
        let answer = get(&server, path, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("unknown_method"), "{path} {answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_at_once() {
    let server = server(HttpLimits::default()).await;
    let head = "POST /api/api.test HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/json\r\ncontent-length: 9000000000\r\n\r\n{";
    let answer = exchange(&server, head).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("request_too_large"), "{answer}");
}

#[tokio::test]
async fn who_sends_a_lot_to_no_method_gets_to_see_the_answer() {
    let server = server(HttpLimits::default()).await;
    let size = 2 << 20;
    let head = format!(
        "POST /api/files.nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\n\
         content-length: {size}\r\n\r\n"
    );
    let answer = exchange(&server, &(head + &"x".repeat(size))).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("unknown_method"), "{answer}");
}

#[tokio::test]
async fn only_get_and_post_run_a_method() {
    let server = server(HttpLimits::default()).await;
    for verb in ["PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let head = format!("{verb} /api/api.test HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = exchange(&server, &head).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("method_not_allowed"), "{answer}");
    }
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    let server = server(HttpLimits { header_bytes_max: 4 << 10, ..HttpLimits::default() }).await;
    let long = format!("x: {}\r\n", "y".repeat(5 << 10));
    assert!(get(&server, "/healthz", &long).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn headers_that_never_end_close_the_connection() {
    let limits = HttpLimits { header_timeout: std::time::Duration::from_millis(50), ..HttpLimits::default() };
    let server = server(limits).await;
    let answer = exchange(&server, "GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn the_drain_ends_idle_connections_and_takes_no_new_ones() {
    let server = server(HttpLimits::default()).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    server.tasks.start_drain();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    server.tasks.ended().await;
    assert!(TcpStream::connect(server.address).await.is_err());
}
