//! Tests only: mutated inputs at every decoder, on stable Rust inside `cargo test`, for a bounded time.
//!
//! [`fuzz`] starts from real inputs, changes them, and keeps what behaves in a new way to change it further; what a target
//! returns is what tells behaviours apart. Each input may take so much time and memory, by its length. [`linear`] grows one
//! hostile shape and compares times. An input that fails is printed as a Rust literal: it becomes a named test of the
//! target.
//!
//! `PARLANCE_FUZZ_SECONDS` is the time for each target (default 1; `--long` of `cargo xtask test`: 60),
//! `PARLANCE_FUZZ_SEED` repeats a run.

// A test fails by panicking, and says why on its way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Longest input, bytes.
const INPUT_BYTES_MAX: usize = 64 << 10;
/// Inputs that are kept to be changed further.
const POOL_MAX: usize = 2_048;
/// Memory that any input may take, bytes. A `HashMap`, a first buffer.
const MEMORY_BYTES: u64 = 64 << 10;
/// Memory for each byte of input where nothing but the input is kept, once or a few times.
pub const FLAT: u64 = 32;
/// Memory for each byte of input where trees of JSON are made of it: a node of a map has eleven places, and needs six
/// bytes of text; a target that compares holds several trees.
pub const TREES: u64 = 1_024;
/// As [`TREES`], where two bytes of text make a styled element of three members (`*x*x*x`).
pub const ELEMENTS: u64 = 3 * TREES;
/// Time that any input may take, in a debug build on a machine that does something else at the same time.
const TIME: Duration = Duration::from_millis(50);
const TIME_PER_BYTE: Duration = Duration::from_micros(20);

/// The same numbers again for the same seed.
pub struct Random(u64);

impl Random {
    /// Numbers of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // Xorshift, Marsaglia 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs a target on changed inputs for a while. `words`: pieces that mean something to it; `memory`: bytes that it may
/// take for each byte of input.
///
/// # Panics
/// When the target panics, or takes too long or too much memory; the input is printed.
pub fn fuzz<T: Hash>(name: &str, memory: u64, corpus: &[&[u8]], words: &[&str], target: impl Fn(&[u8]) -> T) {
    // A short run is the same everywhere, so that what it finds is of the change and not of the day. A long one is new.
    let long = number("PARLANCE_FUZZ_SECONDS");
    let fresh = || if long.is_some() { hash(&(std::process::id(), Instant::now())) } else { hash(&name) };
    let seed = number("PARLANCE_FUZZ_SEED").unwrap_or_else(fresh);
    let time = Duration::from_secs(long.unwrap_or(1));
    let mut random = Random::new(seed);
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let mut behaviours = HashSet::new();
    for input in corpus {
        behaviours.insert(hash(&judged(name, (seed, memory), input, &target)));
        pool.push(input.to_vec());
    }
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < time {
        count += 1;
        let input = changed(&pool, words, &mut random);
        let behaviour = hash(&judged(name, (seed, memory), &input, &target));
        if behaviours.insert(behaviour) {
            if pool.len() < POOL_MAX {
                pool.push(input);
            } else {
                let place = corpus.len() + random.below(pool.len() - corpus.len());
                pool[place] = input;
            }
        }
    }
    println!("{name}: {count} inputs, {} behaviours, seed {seed}", behaviours.len());
    assert!(behaviours.len() > 2, "{name}: every input is the same to it");
}

/// Runs a target on one input, within its bounds.
fn judged<T>(name: &str, (seed, per_byte): (u64, u64), input: &[u8], target: &impl Fn(&[u8]) -> T) -> T {
    let length = u64::try_from(input.len()).unwrap_or(u64::MAX);
    let told = || println!("{name}, seed {seed}: b\"{}\"", input.escape_ascii());
    let mut took = Duration::MAX;
    let mut result = None;
    // Whatever else the machine does may cost one try its time, not three.
    for _ in 0..3 {
        let began = worked();
        let mut ended = None;
        let memory =
            allocation_counter::measure(|| ended = Some(catch_unwind(AssertUnwindSafe(|| target(input)))));
        took = took.min(worked().saturating_sub(began));
        match ended {
            Some(Ok(good)) => result = Some(good),
            Some(Err(panic)) => {
                told();
                resume_unwind(panic);
            }
            None => {}
        }
        if memory.bytes_max > MEMORY_BYTES + per_byte * length {
            told();
            panic!("{name}: {} bytes of memory for {length} bytes of input", memory.bytes_max);
        }
        if took < TIME + TIME_PER_BYTE * u32::try_from(length).unwrap_or(u32::MAX) {
            break;
        }
    }
    if took > TIME + TIME_PER_BYTE * u32::try_from(length).unwrap_or(u32::MAX) {
        told();
        panic!("{name}: {took:?} for {length} bytes of input");
    }
    result.unwrap()
}

/// One of the pool, changed a little.
fn changed(pool: &[Vec<u8>], words: &[&str], random: &mut Random) -> Vec<u8> {
    const ODD: [&[u8]; 10] =
        [b"\0", b"\xff", b"\xe2\x82", b"\r\n", b"\"", b"\\", b"%", b"-1", b"9007199254740993", b"1e999"];
    let mut bytes = random.pick(pool).clone();
    for _ in 0..=random.below(5) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below((bytes.len() - at).min(40) + 1);
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap_or(0),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let times = [1, 2, 30, 300][random.below(4)];
                let piece = bytes[at..end].repeat(times);
                bytes.splice(at..at, piece);
            }
            4 => drop(bytes.splice(at..end, random.pick(&ODD).iter().copied())),
            5 if !words.is_empty() => {
                let word = random.pick(words).as_bytes().repeat([1, 1, 2, 100][random.below(4)]);
                bytes.splice(at..at, word);
            }
            6 => {
                let other = random.pick(pool);
                let from = random.below(other.len() + 1);
                bytes.splice(at..end, other[from..].iter().copied());
            }
            7 => {
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes[at + digit] = b'0' + u8::try_from(random.below(10)).unwrap_or(0);
                }
            }
            _ => bytes.truncate(at),
        }
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}

/// Grows a hostile shape: twice of it takes less than three times as long.
///
/// # Panics
/// When it takes longer.
pub fn linear(name: &str, shape: impl Fn(usize) -> Vec<u8>, size_max: usize, target: impl Fn(&[u8])) {
    /// Shorter times cannot be compared.
    const MEASURABLE: Duration = Duration::from_millis(2);
    let once = |input: &[u8]| {
        let began = worked();
        target(input);
        worked().saturating_sub(began)
    };
    let mut size = 64;
    while 2 * size <= size_max {
        let (single, double) = (shape(size), shape(2 * size));
        let mut took = once(&single);
        if took > MEASURABLE {
            // In turn, so that a busy machine costs both; the best of each counts.
            let mut doubled = once(&double);
            for _ in 0..40 {
                if doubled < 3 * took {
                    return;
                }
                took = took.min(once(&single));
                doubled = doubled.min(once(&double));
            }
            panic!("{name}: {took:?} for {size}, {doubled:?} for twice that");
        }
        size *= 2;
    }
    // Even the largest takes no time that could be measured.
    let took = (0..3).map(|_| once(&shape(size_max))).min().unwrap_or_default();
    assert!(took < 10 * MEASURABLE, "{name}: {took:?} for {size_max}");
}

/// Bytes as text, as decoders of text get it: what is no UTF-8 never reaches them.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// For how long this thread has had a processor: what others do at the same time costs a target nothing.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(run: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    }

    #[test]
    fn a_target_that_panics_takes_long_or_much_is_found() {
        let found = fails(|| {
            fuzz("panics", FLAT, &[b"abc"], &["xyz"], |input| {
                assert!(!input.windows(3).any(|window| window == b"xyz"), "found it");
                input.len()
            });
        });
        assert!(found.contains("found it"), "{found}");
        let found =
            fails(|| fuzz("hoards", FLAT, &[b"abc"], &[], |input| vec![0_u8; input.len() << 20].len()));
        assert!(found.contains("bytes of memory"), "{found}");
        let works = |_: &[u8]| {
            let began = worked();
            while worked() < began + TIME * 2 {}
        };
        let found = fails(|| fuzz("works", FLAT, &[b"abc"], &[], works));
        assert!(found.contains("for 3 bytes of input"), "{found}");
    }

    #[test]
    fn what_is_quadratic_is_found() {
        let quadratic = |input: &[u8]| {
            let pairs = input.iter().map(|one| input.iter().filter(|two| *two == one).count());
            std::hint::black_box(pairs.sum::<usize>());
        };
        let found = fails(|| linear("quadratic", |size| vec![b'x'; size], 64 << 10, quadratic));
        assert!(found.contains("for twice that"), "{found}");
        linear(
            "linear",
            |size| vec![b'x'; size],
            1 << 20,
            |input| {
                std::hint::black_box(input.iter().map(|byte| u64::from(*byte)).sum::<u64>());
            },
        );
    }
}
