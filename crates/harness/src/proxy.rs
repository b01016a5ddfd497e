//! A TCP proxy between the server and PostgreSQL whose connections can be cut and frozen.
//!
//! It reads along in the direction of PostgreSQL, so that it can cut a connection when a commit was asked for and
//! its answer has not come back: the outcome is unknown to the one who asked. It does not read TLS.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a transaction may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is to be there.
    Commit,
    /// It is not to be there.
    Rollback,
}

/// The simple queries that end a transaction: kind, length, text.
const ENDS: [(End, &[u8]); 2] =
    [(End::Commit, b"Q\0\0\0\x0bCOMMIT\0"), (End::Rollback, b"Q\0\0\0\x0dROLLBACK\0")];

/// What the begin of a transaction that only reads says.
const READ_ONLY: &[u8] = b"READ ONLY";

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// RST: the other side gets an error.
    Reset,
    /// FIN: the other side reads the end.
    Finish,
}

/// When a connection that asks for the end of a transaction is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Once the question is on its way. What PostgreSQL does is up to the race.
    Asked,
    /// Once PostgreSQL has answered, without handing the answer on: it is committed.
    Answered,
    /// Not at all: the question is on its way, and from then on everything is frozen.
    Frozen,
}

/// A running proxy. Its connections end when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepts: JoinHandle<()>,
}

struct Shared {
    upstream: u16,
    /// False: nothing passes.
    passes: watch::Sender<bool>,
    /// Counts orders to cut; the last one's form.
    cuts: watch::Sender<(u64, Cut)>,
    /// The next such end of a transaction is cut, then.
    trap: Mutex<Option<(End, At)>>,
    sprung: watch::Sender<usize>,
    open: AtomicUsize,
    accepted: AtomicUsize,
}

impl Proxy {
    /// Listens on a free port for a server on another port of this machine.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn start(upstream: u16) -> Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream,
            passes: watch::Sender::new(true),
            cuts: watch::Sender::new((0, Cut::Reset)),
            trap: Mutex::new(None),
            sprung: watch::Sender::new(0),
            open: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        });
        let accepts = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Proxy { port, shared, accepts })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections; how many there were. New ones are let in.
    pub fn cut(&self, how: Cut) -> usize {
        let open = self.open();
        self.shared.cuts.send_modify(|(count, last)| {
            *count += 1;
            *last = how;
        });
        open
    }

    /// From now on nothing passes and nothing is closed, new connections included.
    pub fn freeze(&self) {
        self.shared.passes.send_replace(false);
    }

    /// Everything that waited passes.
    pub fn thaw(&self) {
        self.shared.passes.send_replace(true);
    }

    /// Cuts the connection of the next transaction that writes, when it ends so; or freezes everything then.
    pub fn cut_next(&self, end: End, at: At) {
        *self.shared.trap() = Some((end, at));
    }

    /// How many ends of transactions were cut, or met the freeze. Wait on it for the next.
    pub fn ends_cut(&self) -> watch::Receiver<usize> {
        self.shared.sprung.subscribe()
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Connections that ever came.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut(Cut::Reset);
        self.accepts.abort();
    }
}

impl Shared {
    fn trap(&self) -> std::sync::MutexGuard<'_, Option<(End, At)>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(client, Arc::clone(&shared)));
    }
}

/// One connection, from its begin to its end.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    shared.open.fetch_add(1, Ordering::SeqCst);
    let mut server = None;
    let how = tokio::select! {
        ended = carry(&mut client, &mut server, &shared) => ended,
        _ = cuts.changed() => cuts.borrow().1,
    };
    shared.open.fetch_sub(1, Ordering::SeqCst);
    if how == Cut::Reset {
        // Closing a socket without lingering resets it. One that is gone already needs nothing.
        client.set_zero_linger().ok();
        if let Some(server) = &server {
            server.set_zero_linger().ok();
        }
    }
}

/// Carries bytes both ways until either side ends or the trap springs.
async fn carry(client: &mut TcpStream, server: &mut Option<TcpStream>, shared: &Shared) -> Cut {
    if pass(shared).await.is_err() {
        return Cut::Reset;
    }
    let Ok(connected) = TcpStream::connect(("127.0.0.1", shared.upstream)).await else { return Cut::Reset };
    // Small packets are sent at once, as the driver does.
    client.set_nodelay(true).and(connected.set_nodelay(true)).ok();
    let server = server.insert(connected);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // The one who asks tells the one who answers to keep the answer.
    let (hold, held) = watch::channel(None);
    tokio::select! {
        ended = ask(from_client, to_server, shared, &hold) => ended,
        ended = answer(from_server, to_client, shared, held) => ended,
    }
}

/// Waits until something may pass.
async fn pass(shared: &Shared) -> Result<(), watch::error::RecvError> {
    shared.passes.subscribe().wait_for(|passes| *passes).await.map(|_| ())
}

/// From the client to the server, reading along.
async fn ask(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    hold: &watch::Sender<Option<At>>,
) -> Cut {
    let mut reading = Reading::default();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let Ok(Some(chunk)) = read(&mut from, &mut bytes).await else { return Cut::Finish };
        if pass(shared).await.is_err() {
            return Cut::Reset;
        }
        let end = reading.ends_writes(chunk);
        let sprung =
            end.and_then(|end| shared.trap().take_if(|(wanted, _)| *wanted == end)).map(|(_, at)| at);
        // Before the question leaves: its answer must not slip through.
        match sprung {
            Some(At::Frozen) => {
                shared.passes.send_replace(false);
            }
            cut => {
                hold.send_replace(cut);
            }
        }
        if to.write_all(chunk).await.is_err() {
            return Cut::Reset;
        }
        match sprung {
            Some(At::Asked) => {
                shared.sprung.send_modify(|count| *count += 1);
                return Cut::Reset;
            }
            // The other direction waits for the answer and ends both.
            Some(At::Answered) => std::future::pending().await,
            Some(At::Frozen) => shared.sprung.send_modify(|count| *count += 1),
            None => {}
        }
    }
}

/// From the server to the client.
async fn answer(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    hold: watch::Receiver<Option<At>>,
) -> Cut {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let Ok(Some(chunk)) = read(&mut from, &mut bytes).await else { return Cut::Finish };
        if pass(shared).await.is_err() {
            return Cut::Reset;
        }
        let held = *hold.borrow();
        match held {
            Some(At::Answered) => {
                shared.sprung.send_modify(|count| *count += 1);
                return Cut::Reset;
            }
            // Being cut.
            Some(At::Asked) => std::future::pending().await,
            Some(At::Frozen) | None => {}
        }
        if to.write_all(chunk).await.is_err() {
            return Cut::Reset;
        }
    }
}

async fn read<'b>(from: &mut ReadHalf<'_>, bytes: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
    let count = from.read(bytes).await?;
    Ok(bytes.get(..count).filter(|chunk| !chunk.is_empty()))
}

/// What is known of a connection's transaction from what the client has sent.
#[derive(Default)]
struct Reading {
    /// The end of what was looked at: a text may come in two pieces.
    before: Vec<u8>,
    read_only: bool,
}

impl Reading {
    /// The end of a transaction that is not read-only, if the next piece asks for one.
    fn ends_writes(&mut self, piece: &[u8]) -> Option<End> {
        let mut window = std::mem::take(&mut self.before);
        window.extend_from_slice(piece);
        let mut found = None;
        let mut at = 0;
        while let Some(rest) = window.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(READ_ONLY) {
                self.read_only = true;
                at += READ_ONLY.len();
            } else if let Some((end, text)) = ENDS.iter().find(|(_, text)| rest.starts_with(text)) {
                if !std::mem::take(&mut self.read_only) {
                    found = Some(*end);
                }
                at += text.len();
            } else if READ_ONLY.starts_with(rest) || ENDS.iter().any(|(_, text)| text.starts_with(rest)) {
                // The rest of it comes with the next piece.
                break;
            } else {
                at += 1;
            }
        }
        self.before = window.split_off(at.min(window.len()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_of_a_transaction_that_writes_is_seen_in_any_pieces() {
        let sent = b"Q\0\0\0\x0aBEGIN\0P...INSERT...Q\0\0\0\x0bCOMMIT\0";
        for cut in 0..sent.len() {
            let mut reading = Reading::default();
            let first = reading.ends_writes(&sent[..cut]);
            assert_eq!((first, reading.ends_writes(&sent[cut..])), (None, Some(End::Commit)), "cut at {cut}");
        }
    }

    #[test]
    fn the_commit_of_a_transaction_that_reads_is_not_taken() {
        let sent = b"Q\0\0\0\x2fBEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY\0Q\0\0\0\x0bCOMMIT\0";
        for cut in 0..sent.len() {
            let mut reading = Reading::default();
            let found = (reading.ends_writes(&sent[..cut]), reading.ends_writes(&sent[cut..]));
            assert_eq!(found, (None, None), "cut at {cut}");
            assert_eq!(
                reading.ends_writes(ENDS[1].1),
                Some(End::Rollback),
                "the next one is another transaction"
            );
        }
    }

    #[tokio::test]
    async fn frozen_is_neither_open_nor_closed_and_cut_is_closed() {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap().port()).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        client.write_all(b"one").await.unwrap();
        let mut three = [0; 3];
        accepted.read_exact(&mut three).await.unwrap();
        proxy.freeze();
        client.write_all(b"two").await.unwrap();
        let none = tokio::time::timeout(std::time::Duration::from_millis(50), accepted.read_u8()).await;
        assert!(none.is_err(), "{none:?}");
        proxy.thaw();
        accepted.read_exact(&mut three).await.unwrap();
        assert_eq!(&three, b"two");
        assert_eq!(proxy.cut(Cut::Reset), 1);
        assert_eq!(client.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_commit_is_cut_with_its_answer_withheld() {
        for at in [At::Asked, At::Answered] {
            let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let proxy = Proxy::start(server.local_addr().unwrap().port()).await.unwrap();
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            let (mut accepted, _) = server.accept().await.unwrap();
            proxy.cut_next(End::Commit, at);
            let mut cut = proxy.ends_cut();
            client.write_all(ENDS[0].1).await.unwrap();
            if at == At::Answered {
                let mut question = [0; ENDS[0].1.len()];
                accepted.read_exact(&mut question).await.unwrap();
                accepted.write_all(b"done").await.unwrap();
            }
            cut.wait_for(|count| *count == 1).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
    }
}
