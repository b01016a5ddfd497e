//! A backup that was damaged on its way: it is refused or put back, and whatever is wrong with it is an error.

use std::ops::ControlFlow;
use std::sync::Mutex;

use fuzz::Random;
use store::transfer::{TransferError, restore};

/// Restores of a changed file. Each reads and writes files, so they are few; the time is for the whole.
fn rounds() -> usize {
    let seconds = std::env::var("PARLANCE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    seconds.unwrap_or(1_usize) * 60
}

#[test]
fn a_changed_backup_is_refused_or_put_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    let whole = {
        let (log, store) = store::sqlite::open(&folder.path().join("data")).unwrap();
        let store: &dyn store::Store = &store;
        runtime.block_on(store.backup(&file, &mut |_, _| ())).unwrap();
        drop(log);
        std::fs::read(&file).unwrap()
    };
    let mut random = Random::new(u64::from(std::process::id()));
    let verdicts = Mutex::new(std::collections::BTreeMap::<&str, usize>::new());
    for round in 0..rounds() {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            // Half of the changes go where the structure is.
            let within = [100, 4_096, bytes.len(), bytes.len()][random.below(4)].min(bytes.len()).max(1);
            let at = random.below(within);
            match random.below(5) {
                0 if !bytes.is_empty() => bytes.truncate(at),
                1 => bytes.extend_from_slice(&whole[..at.min(whole.len())]),
                _ => {
                    let count = 1 + random.below(8);
                    for byte in bytes.iter_mut().skip(at).take(count) {
                        *byte = u8::try_from(random.below(256)).unwrap();
                    }
                }
            }
        }
        std::fs::write(&file, &bytes).unwrap();
        let data = folder.path().join(format!("restored-{round}"));
        let mut on = |_| ControlFlow::Continue(());
        let restored = runtime.block_on(restore(&file, &data, None, false, 1_700_000_000_000_000, &mut on));
        let verdict = match restored {
            Ok(_) => {
                // What is put back is a store.
                store::sqlite::open(&data).unwrap();
                "put back"
            }
            Err(error) => {
                assert!(!data.join("parlance.db").exists(), "{error}, and there is a store");
                match error {
                    TransferError::Damaged { .. } => "damaged",
                    TransferError::Foreign { .. } => "foreign",
                    _ => "other",
                }
            }
        };
        *verdicts.lock().unwrap().entry(verdict).or_default() += 1;
        std::fs::remove_dir_all(&data).ok();
    }
    let verdicts = verdicts.into_inner().unwrap();
    println!("{verdicts:?}");
    assert!(verdicts.contains_key("damaged") && verdicts.contains_key("foreign"), "{verdicts:?}");
}
