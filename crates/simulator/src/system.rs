//! Answers for the operating system where a run would differ from the last one: random bytes and the time; and shows the
//! drive what is written and synchronised.
//!
//! The symbols stand in front of libc's, so that the standard library (keys of hash maps), tokio (its random
//! choices), `uuid` and `getrandom` all draw from the seed, and every `Instant` is the simulation's. What
//! `mad-turmoil` does for turmoil, without turmoil. Files are the real ones: what SQLite writes is written, and noted.

// The one place of the project that must speak C's language.
#![allow(unsafe_code)]

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use crate::drive;

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

/// How a call fails on a machine without power.
fn fail() -> libc::c_int {
    // SAFETY: each thread has its own.
    unsafe { *libc::__errno_location() = libc::EIO };
    -1
}

fn elapsed_us() -> u64 {
    ELAPSED_NS.load(Ordering::Relaxed) / 1_000
}

/// What a call of write(2) or pwrite(2) wrote.
///
/// # Safety
/// The caller owns `length` bytes at `buffer`.
unsafe fn written<'a>(buffer: *const u8, length: usize, wrote: isize) -> Option<&'a [u8]> {
    let bytes = usize::try_from(wrote).ok().filter(|bytes| *bytes > 0)?;
    // SAFETY: no more is written than was given.
    Some(unsafe { std::slice::from_raw_parts(buffer, bytes.min(length)) })
}

#[unsafe(no_mangle)]
extern "C" fn write(descriptor: libc::c_int, buffer: *const u8, length: usize) -> isize {
    // SAFETY: passed on as it came.
    let wrote = unsafe { libc::syscall(libc::SYS_write, descriptor, buffer, length) };
    let wrote = isize::try_from(wrote).unwrap_or(-1);
    // SAFETY: the caller of write(2) owns `length` bytes at `buffer`.
    if let Some(bytes) = unsafe { written(buffer, length, wrote) } {
        let at = || {
            // SAFETY: asks where an open file is.
            let end = unsafe { libc::syscall(libc::SYS_lseek, descriptor, 0, libc::SEEK_CUR) };
            u64::try_from(end)
                .unwrap_or_default()
                .saturating_sub(u64::try_from(bytes.len()).unwrap_or_default())
        };
        if !drive::wrote(descriptor, at, bytes) {
            return fail() as isize;
        }
    }
    wrote
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(
    descriptor: libc::c_int,
    buffer: *const u8,
    length: usize,
    at: libc::off64_t,
) -> isize {
    // SAFETY: passed on as it came.
    let wrote = unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, buffer, length, at) };
    let wrote = isize::try_from(wrote).unwrap_or(-1);
    // SAFETY: the caller of pwrite(2) owns `length` bytes at `buffer`.
    let bytes = unsafe { written(buffer, length, wrote) };
    let at = || u64::try_from(at).unwrap_or_default();
    if bytes.is_some_and(|bytes| !drive::wrote(descriptor, at, bytes)) {
        return fail() as isize;
    }
    wrote
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(descriptor: libc::c_int, bytes: libc::off64_t) -> libc::c_int {
    // SAFETY: passed on as it came.
    let result = unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, bytes) };
    if result == 0 && !drive::resized(descriptor, u64::try_from(bytes).unwrap_or_default()) {
        return fail();
    }
    libc::c_int::try_from(result).unwrap_or(-1)
}

/// Both calls: lengths are synchronised by either. Nothing reaches the real drive, which outlives every run.
fn sync(descriptor: libc::c_int) -> libc::c_int {
    if drive::synced(descriptor, elapsed_us()) { 0 } else { fail() }
}

#[unsafe(no_mangle)]
extern "C" fn fsync(descriptor: libc::c_int) -> libc::c_int {
    sync(descriptor)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(descriptor: libc::c_int) -> libc::c_int {
    sync(descriptor)
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
