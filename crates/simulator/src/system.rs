//! Answers for the operating system where a run would differ from the last one: random bytes and the time.
//!
//! The two symbols stand in front of libc's, so that the standard library (keys of hash maps), tokio (its random
//! choices), `uuid` and `getrandom` all draw from the seed, and every `Instant` is the simulation's. What
//! `mad-turmoil` does for turmoil, without turmoil.

// The one place of the project that must speak C's language.
#![allow(unsafe_code)]

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// Time of day at which every simulation begins: 2026-01-01, seconds.
pub(crate) const START_S: u64 = 1_767_225_600;

static TAKEN_OVER: AtomicBool = AtomicBool::new(false);
static STATE: AtomicU64 = AtomicU64::new(0);
static ELAPSED_NS: AtomicU64 = AtomicU64::new(0);

/// From here on the seed decides.
pub(crate) fn take_over(seed: u64) {
    STATE.store(seed, Ordering::Relaxed);
    TAKEN_OVER.store(true, Ordering::Relaxed);
}

/// Sets the time since the simulation began.
pub(crate) fn set_elapsed(elapsed: Duration) {
    ELAPSED_NS.store(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// The next 64 bits: SplitMix64 (Steele, Lea and Flood 2014).
fn draw() -> u64 {
    let state = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
    crate::random::mix(state)
}

#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut u8, length: usize, flags: libc::c_uint) -> isize {
    if !TAKEN_OVER.load(Ordering::Relaxed) {
        // SAFETY: passed on as it came.
        let got = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return isize::try_from(got).unwrap_or(-1);
    }
    if length > 0 {
        // SAFETY: the caller of getrandom(2) owns `length` bytes at `buffer`.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
        for chunk in bytes.chunks_mut(8) {
            let drawn = draw().to_le_bytes();
            chunk.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
        }
    }
    isize::try_from(length).unwrap_or(isize::MAX)
}

#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: libc::clockid_t, out: *mut libc::timespec) -> libc::c_int {
    if !TAKEN_OVER.load(Ordering::Relaxed) {
        // SAFETY: passed on as it came.
        let got = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, out) };
        return i32::try_from(got).unwrap_or(-1);
    }
    let elapsed = Duration::from_nanos(ELAPSED_NS.load(Ordering::Relaxed));
    let now = Duration::from_secs(START_S) + elapsed;
    // SAFETY: the caller of clock_gettime(2) owns a timespec at `out`.
    unsafe {
        (*out).tv_sec = libc::time_t::try_from(now.as_secs()).unwrap_or(libc::time_t::MAX);
        (*out).tv_nsec = libc::c_long::from(now.subsec_nanos());
    }
    0
}
