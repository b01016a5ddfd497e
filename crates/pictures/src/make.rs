//! What becomes of a picture: its size, turned the right way up, and smaller copies.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};
use model::{Format, Image, Photo, Thumbnail};

use super::{Crop, Made, Unusable};

/// Most pixels of a picture: 50 million, more than any camera that people send photos of.
const PIXELS_MAX: u64 = 50_000_000;
/// Memory that a decoder may take, bytes.
const DECODER_BYTES_MAX: u64 = 512 << 20;
/// Squares that are cut out of the middle.
const SQUARES: [u32; 3] = [64, 80, 160];
/// Edges within which the whole picture fits; those that it fits in anyway are left out, but for the first.
const FITTING: [u32; 6] = [360, 480, 720, 800, 960, 1024];
/// Edge of the picture that is shown until another is there.
const TINY_EDGE: u32 = 32;
/// Of JPEG, percent.
const QUALITY: u8 = 85;
const TINY_QUALITY: u8 = 40;

impl From<image::ImageError> for Unusable {
    fn from(error: image::ImageError) -> Self {
        match error {
            // The limits are ours.
            image::ImageError::Limits(error) => Self::TooLarge(error.to_string()),
            error => Self::Broken(error.to_string()),
        }
    }
}

impl Made {
    fn new(width: u32, height: u32) -> Self {
        Self { image: Image { width, height, ..Image::default() }, parts: Vec::new() }
    }

    fn add(&mut self, edge: u32, small: &DynamicImage) -> Result<(), Unusable> {
        let (format, bytes) = encode(small, QUALITY)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let (width, height) = (small.width(), small.height());
        self.image.thumbnails.push(Thumbnail { edge, width, height, format, bytes: length });
        self.parts.push(Bytes::from(bytes));
        Ok(())
    }
}

/// Makes the thumbnails of a picture.
///
/// # Errors
/// It is no PNG, JPEG, GIF or WebP, is damaged, or is larger than [`PIXELS_MAX`].
pub fn thumbnails(bytes: &[u8]) -> Result<Made, Unusable> {
    let picture = decode(bytes)?;
    let (width, height) = (picture.width(), picture.height());
    let mut made = Made::new(width, height);
    let middle = square(&picture, None);
    for edge in SQUARES {
        made.add(edge, &middle.thumbnail_exact(edge, edge))?;
    }
    for edge in FITTING.into_iter().filter(|&edge| edge == FITTING[0] || width.max(height) > edge) {
        let (width, height) = fit(width, height, edge);
        made.add(edge, &picture.thumbnail_exact(width, height))?;
    }
    let (width, height) = fit(width, height, TINY_EDGE);
    made.image.tiny = Some(STANDARD.encode(jpeg(&picture.thumbnail_exact(width, height), TINY_QUALITY)?));
    Ok(made)
}

/// Makes a person's photo of a square of a picture: the largest size, then the smaller ones, each its own edge wide.
///
/// # Errors
/// As [`thumbnails`].
pub fn photo(bytes: &[u8], crop: Option<Crop>) -> Result<Made, Unusable> {
    let whole = square(&decode(bytes)?, crop);
    let side = whole.width().min(Photo::SIDE_MAX);
    let mut made = Made::new(side, side);
    for edge in Photo::EDGES.into_iter().filter(|&edge| edge < side).chain([side]).rev() {
        made.add(edge, &whole.thumbnail_exact(edge, edge))?;
    }
    Ok(made)
}

/// Decodes a picture and turns it the right way up. Of a moving one the first frame.
fn decode(bytes: &[u8]) -> Result<DynamicImage, Unusable> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| Unusable::Broken(error.to_string()))?;
    let known = matches!(
        reader.format(),
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif | ImageFormat::WebP)
    );
    if !known {
        return Err(Unusable::Broken("no PNG, JPEG, GIF or WebP".to_owned()));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Unusable::Broken("it has no pixels".to_owned()));
    }
    if pixels > PIXELS_MAX {
        return Err(Unusable::TooLarge(format!("{width} × {height} pixels")));
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    // Eight bits, with transparency only where there is some: what all that follows knows.
    let transparent =
        picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255);
    Ok(if transparent {
        DynamicImage::ImageRgba8(picture.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(picture.into_rgb8())
    })
}

/// The size of a picture that fits into a square; never larger than it is.
fn fit(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let edge = edge.min(longest);
    let scale = |side: u32| {
        let scaled = u64::from(side) * u64::from(edge) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(edge).max(1)
    };
    (scale(width), scale(height))
}

/// A square of a picture: `crop`, moved into it, else the one in the middle.
fn square(picture: &DynamicImage, crop: Option<Crop>) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let shorter = width.min(height);
    let (x, y, side) = match crop {
        None => ((width - shorter) / 2, (height - shorter) / 2, shorter),
        Some(Crop { x, y, side: Some(side) }) => {
            let side = side.clamp(1, shorter);
            (x.min(width - side), y.min(height - side), side)
        }
        Some(Crop { x, y, side: None }) => {
            let (x, y) = (x.min(width - 1), y.min(height - 1));
            (x, y, (width - x).min(height - y))
        }
    };
    picture.crop_imm(x, y, side, side)
}

/// JPEG, or PNG for what is transparent.
fn encode(picture: &DynamicImage, quality: u8) -> Result<(Format, Vec<u8>), Unusable> {
    if !picture.color().has_alpha() {
        return Ok((Format::Jpeg, jpeg(picture, quality)?));
    }
    let pixels = picture.to_rgba8();
    let mut bytes = Vec::new();
    let (width, height) = pixels.dimensions();
    PngEncoder::new(&mut bytes).write_image(&pixels, width, height, ExtendedColorType::Rgba8)?;
    Ok((Format::Png, bytes))
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, Unusable> {
    let pixels = picture.to_rgb8();
    let mut bytes = Vec::new();
    let (width, height) = pixels.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, quality).write_image(
        &pixels,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn plain(width: u32, height: u32) -> DynamicImage {
        let pixel =
            |x: u32, y: u32| Rgba([u8::try_from(x % 256).unwrap(), u8::try_from(y % 256).unwrap(), 90, 255]);
        DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, pixel))
    }

    #[test]
    fn a_picture_gets_smaller_copies_of_itself_only() {
        let opaque = DynamicImage::ImageRgb8(plain(1_000, 500).into_rgb8());
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let made = thumbnails(&encoded(&opaque, format)).unwrap();
            let sizes: Vec<_> =
                made.image.thumbnails.iter().map(|one| (one.edge, one.width, one.height)).collect();
            let expect = [
                (64, 64, 64),
                (80, 80, 80),
                (160, 160, 160),
                (360, 360, 180),
                (480, 480, 240),
                (720, 720, 360),
                (800, 800, 400),
                (960, 960, 480),
            ];
            assert_eq!(sizes, expect, "{format:?}");
            assert_eq!((made.image.width, made.image.height), (1_000, 500));
            for (thumbnail, bytes) in made.image.thumbnails.iter().zip(&made.parts) {
                assert_eq!(thumbnail.format, Format::Jpeg);
                let small = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap();
                assert_eq!((small.width(), small.height()), (thumbnail.width, thumbnail.height));
                assert_eq!(thumbnail.bytes, u64::try_from(bytes.len()).unwrap());
            }
            let tiny = STANDARD.decode(made.image.tiny.unwrap()).unwrap();
            assert!(tiny.len() < 1_500, "{} bytes", tiny.len());
            image::load_from_memory_with_format(&tiny, ImageFormat::Jpeg).unwrap();
        }
        let small = thumbnails(&encoded(&plain(20, 10), ImageFormat::Png)).unwrap();
        let sizes: Vec<_> =
            small.image.thumbnails.iter().map(|one| (one.edge, one.width, one.height)).collect();
        assert_eq!(sizes, [(64, 64, 64), (80, 80, 80), (160, 160, 160), (360, 20, 10)]);
        let strip = thumbnails(&encoded(&plain(4_000, 1), ImageFormat::Png)).unwrap();
        assert_eq!(strip.image.thumbnails.last().map(|one| (one.width, one.height)), Some((1_024, 1)));
    }

    #[test]
    fn what_is_transparent_stays_so() {
        let mut picture = plain(100, 100).into_rgba8();
        picture.put_pixel(50, 50, Rgba([0, 0, 0, 0]));
        let made = thumbnails(&encoded(&DynamicImage::ImageRgba8(picture), ImageFormat::Png)).unwrap();
        assert!(made.image.thumbnails.iter().all(|one| one.format == Format::Png));
        image::load_from_memory_with_format(&made.parts[0], ImageFormat::Png).unwrap();
        let opaque = thumbnails(&encoded(&plain(100, 100), ImageFormat::Png)).unwrap();
        assert!(opaque.image.thumbnails.iter().all(|one| one.format == Format::Jpeg));
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        assert!(thumbnails(b"").is_err());
        assert!(thumbnails(b"<svg/>").is_err());
        let good = encoded(&plain(100, 100), ImageFormat::Png);
        assert!(thumbnails(&good[..good.len() / 2]).is_err());
        assert!(thumbnails(&encoded(&plain(10, 10), ImageFormat::Png)).is_ok());
        // The head of a PNG that claims to be 60,000 pixels wide and high.
        let mut bomb = good;
        bomb[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let crc = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        let error = thumbnails(&bomb).unwrap_err().to_string();
        assert!(error.contains("60000"), "{error}");
    }

    /// Edge of each size, and the colour of a pixel of the largest.
    fn photo_of(picture: &DynamicImage, crop: Option<Crop>) -> (Vec<u32>, [u8; 3]) {
        let made = photo(&encoded(picture, ImageFormat::Png), crop).unwrap();
        for (thumbnail, bytes) in made.image.thumbnails.iter().zip(&made.parts) {
            let small = image::load_from_memory(bytes).unwrap();
            let edge = thumbnail.edge;
            assert_eq!((small.width(), small.height(), thumbnail.width), (edge, edge, edge));
        }
        assert_eq!(made.image.width, made.image.thumbnails[0].edge);
        let largest = image::load_from_memory(&made.parts[0]).unwrap().to_rgb8();
        let middle = largest.width() / 2;
        (made.image.thumbnails.iter().map(|one| one.edge).collect(), largest.get_pixel(middle, middle).0)
    }

    #[test]
    fn a_photo_is_the_square_that_was_chosen() {
        // Red to the left, blue to the right.
        let halves = RgbaImage::from_fn(1_200, 600, |x, _| {
            if x < 600 { Rgba([250, 0, 0, 255]) } else { Rgba([0, 0, 250, 255]) }
        });
        let halves = DynamicImage::ImageRgba8(halves);
        let is = |found: [u8; 3], expect: [u8; 3]| {
            assert!(found.iter().zip(expect).all(|(a, b)| a.abs_diff(b) < 20), "{found:?}, not {expect:?}");
        };
        let left = Crop { x: 0, y: 0, side: Some(600) };
        let (edges, color) = photo_of(&halves, Some(left));
        assert_eq!(edges, [600, 512, 192, 72, 48, 32, 24]);
        is(color, [250, 0, 0]);
        let (edges, color) = photo_of(&halves, Some(Crop { x: 700, y: 100, side: Some(100) }));
        assert_eq!(edges, [100, 72, 48, 32, 24]);
        is(color, [0, 0, 250]);
        // What is beyond the picture is moved into it.
        let (edges, color) = photo_of(&halves, Some(Crop { x: 9_000, y: 9_000, side: Some(9_000) }));
        assert_eq!(edges[0], 600);
        is(color, [0, 0, 250]);
        let (edges, _) = photo_of(&halves, Some(Crop { x: 1_100, y: 0, side: None }));
        assert_eq!(edges[0], 100);
        let (edges, _) = photo_of(&halves, Some(Crop { x: u32::MAX, y: u32::MAX, side: None }));
        assert_eq!(edges, [1]);
        let (edges, _) = photo_of(&halves, Some(Crop { x: 3, y: 3, side: Some(0) }));
        assert_eq!(edges, [1]);
        // None: the middle; and no size is larger than the picture, or than 1,024.
        assert_eq!(photo_of(&plain(24, 30), None).0, [24]);
        assert_eq!(photo_of(&plain(1_500, 2_000), None).0, [1_024, 512, 192, 72, 48, 32, 24]);
    }

    /// The check sum of PNG.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
            )
        })
    }
}
