//! Pictures of those who have none.

use model::Pattern;
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

/// Fields of a row, and one half of one on either side.
const FIELDS: u32 = 5;
/// Red, green and blue of what is not filled.
const PAPER: [u8; 3] = [0xf0, 0xf0, 0xf2];

/// A PNG of a pattern, `edge` pixels wide and high.
///
/// # Errors
/// The size is one that PNG does not know.
pub fn png(pattern: Pattern, edge: u32) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, edge, edge);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::One);
    encoder.set_palette([PAPER, pattern.color()].concat());
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    // Six fields fit: five, and a margin of half a one.
    let field = |at: u32| (2 * at * (FIELDS + 1) / edge.max(1)).checked_sub(1).map(|halves| halves / 2);
    let row = |y: u32| -> Vec<u8> {
        let filled = |x: u32| match (field(x), field(y)) {
            (Some(column), Some(row)) => column < FIELDS && row < FIELDS && pattern.is_filled(column, row),
            _ => false,
        };
        let eight = |from: u32| {
            (0..8).fold(0, |byte, bit| byte << 1 | u8::from(from + bit < edge && filled(from + bit)))
        };
        (0..edge).step_by(8).map(eight).collect()
    };
    let rows: Vec<u8> = (0..edge).flat_map(row).collect();
    writer.write_image_data(&rows)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use model::UserId;

    use super::*;

    #[test]
    fn it_shows_the_pattern() {
        let pattern = Pattern::of(UserId::from_raw(7));
        for edge in Pattern::EDGES {
            let bytes = png(pattern, edge).unwrap();
            let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
            assert_eq!((picture.width(), picture.height()), (edge, edge));
            assert_eq!(picture.get_pixel(0, 0).0, PAPER);
            for (row, column) in (0..5).flat_map(|row| (0..5).map(move |column| (row, column))) {
                // The middle of each field.
                let at = |field: u32| (field + 1) * edge / 6;
                let expect = if pattern.is_filled(column, row) { pattern.color() } else { PAPER };
                assert_eq!(picture.get_pixel(at(column), at(row)).0, expect, "{edge}: {column}, {row}");
            }
        }
        let length = png(pattern, 512).unwrap().len();
        assert!(length < 4_000, "{length} bytes");
    }
}
