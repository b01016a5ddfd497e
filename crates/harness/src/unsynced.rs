//! What a loss of power leaves of a file: everything that was synchronised, and any of what was written since, in
//! sectors, in any order.
//!
//! What a drive may do besides (forget what it said it had, harm what was not being written) is not here: the store says
//! that it needs a drive that does not.

/// What is written whole or not at all, bytes.
const SECTOR_BYTES: usize = 512;

/// A file of which it is known what was synchronised.
#[derive(Debug, Clone, Default)]
pub struct File {
    synced: Vec<u8>,
    /// Since then, in order.
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// How much a loss of power keeps of what was not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Up to some sector.
    Beginning,
    /// Each sector, or not.
    Any,
}

impl Luck {
    /// One of them; `below(n)` draws a number below `n`.
    pub fn draw(below: &mut impl FnMut(usize) -> usize) -> Self {
        match below(4) {
            0 => Self::Everything,
            1 => Self::Nothing,
            2 => Self::Beginning,
            _ => Self::Any,
        }
    }
}

impl File {
    /// A file that is on the drive as it is.
    pub fn new(synced: Vec<u8>) -> Self {
        Self { synced, changes: Vec::new() }
    }

    /// Bytes are written.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        self.changes.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    /// It gets another length.
    pub fn resize(&mut self, bytes: usize) {
        self.changes.push(Change::Length(bytes));
    }

    /// It is synchronised.
    pub fn sync(&mut self) {
        self.changes.drain(..).for_each(|change| change.apply(&mut self.synced));
    }

    /// Sectors and lengths that a loss of power may take.
    pub fn unsynced(&self) -> usize {
        self.changes.iter().map(|change| change.torn(|| true).len()).sum()
    }

    /// What is left of it; `below(n)` draws a number below `n`.
    pub fn left(self, luck: Luck, below: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
        let beginning = below(self.unsynced() + 1);
        let mut sector = 0;
        let mut left = self.synced;
        for change in &self.changes {
            let kept = change.torn(|| {
                sector += 1;
                match luck {
                    Luck::Nothing => false,
                    Luck::Everything => true,
                    Luck::Beginning => sector <= beginning,
                    Luck::Any => below(1_000) < 500,
                }
            });
            kept.iter().for_each(|change| change.apply(&mut left));
        }
        left
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                if let Some(place) = to.get_mut(*at..end) {
                    place.copy_from_slice(bytes);
                }
            }
            Self::Length(bytes) => to.resize(*bytes, 0),
        }
    }

    /// Its sectors that are kept; `keep` is asked for each.
    fn torn(&self, mut keep: impl FnMut() -> bool) -> Vec<Self> {
        match self {
            Self::Length(bytes) => keep().then_some(Self::Length(*bytes)).into_iter().collect(),
            Self::Write { at, bytes } => {
                let (mut at, mut rest, mut kept) = (*at, bytes.as_slice(), Vec::new());
                while !rest.is_empty() {
                    let (sector, behind) = rest.split_at(rest.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
                    if keep() {
                        kept.push(Self::Write { at, bytes: sector.to_vec() });
                    }
                    at += sector.len();
                    rest = behind;
                }
                kept
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two kilobytes of ones, in which the second half is overwritten by twos and longer than before.
    fn file() -> File {
        let mut file = File::new(vec![1; 2_048]);
        file.write(1_000, &[2; 2_000]);
        file
    }

    #[test]
    fn what_was_synchronised_is_there_and_the_rest_as_luck_has_it() {
        assert_eq!(file().unsynced(), 5, "from the middle of the second sector to the middle of the sixth");
        assert_eq!(file().left(Luck::Nothing, &mut |_| 0), vec![1; 2_048]);
        let whole = file().left(Luck::Everything, &mut |_| 0);
        assert_eq!(
            (whole.len(), &whole[..1_000], &whole[1_000..]),
            (3_000, &[1; 1_000][..], &[2; 2_000][..])
        );
        let beginning = file().left(Luck::Beginning, &mut |_| 2);
        assert_eq!(beginning.len(), 2_048);
        assert_eq!((&beginning[1_000..1_536], &beginning[1_536..]), (&[2; 536][..], &[1; 512][..]));
        let mut draws = [0, 999, 0, 999, 0, 999].into_iter();
        let any = file().left(Luck::Any, &mut |_| draws.next().unwrap());
        // Nothing of the first and third sector; what lies between the end and the fifth was never written.
        assert_eq!(any.len(), 2_560, "{draws:?}");
        let mut synced = file();
        synced.sync();
        synced.resize(10);
        assert_eq!(synced.clone().left(Luck::Nothing, &mut |_| 0), whole);
        assert_eq!(synced.left(Luck::Everything, &mut |_| 0), [1; 10]);
    }
}
