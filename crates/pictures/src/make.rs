//! What becomes of a picture: its size, turned the right way up, and smaller copies.

use std::io::Cursor;

use anyhow::{bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};
use model::{Format, Image, Thumbnail};

use super::Made;

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

/// Makes the thumbnails of a picture.
///
/// # Errors
/// It is no PNG, JPEG, GIF or WebP, is damaged, or is larger than [`PIXELS_MAX`].
pub fn thumbnails(bytes: &[u8]) -> anyhow::Result<Made> {
    let picture = decode(bytes)?;
    let (width, height) = (picture.width(), picture.height());
    let mut image = Image { width, height, ..Image::default() };
    let mut parts = Vec::new();
    let mut add = |edge, small: &DynamicImage| {
        let (format, bytes) = encode(small, QUALITY)?;
        let length = u64::try_from(bytes.len())?;
        let (width, height) = (small.width(), small.height());
        image.thumbnails.push(Thumbnail { edge, width, height, format, bytes: length });
        parts.push(Bytes::from(bytes));
        anyhow::Ok(())
    };
    let middle = square(&picture);
    for edge in SQUARES {
        add(edge, &middle.thumbnail_exact(edge, edge))?;
    }
    for edge in FITTING.into_iter().filter(|&edge| edge == FITTING[0] || width.max(height) > edge) {
        let (width, height) = fit(width, height, edge);
        add(edge, &picture.thumbnail_exact(width, height))?;
    }
    let (width, height) = fit(width, height, TINY_EDGE);
    image.tiny = Some(STANDARD.encode(jpeg(&picture.thumbnail_exact(width, height), TINY_QUALITY)?));
    Ok(Made { image, parts })
}

/// Decodes a picture and turns it the right way up. Of a moving one the first frame.
fn decode(bytes: &[u8]) -> anyhow::Result<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let known = matches!(
        reader.format(),
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif | ImageFormat::WebP)
    );
    ensure!(known, "no PNG, JPEG, GIF or WebP");
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > PIXELS_MAX {
        bail!("{width} × {height} pixels");
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

/// The square in the middle.
fn square(picture: &DynamicImage) -> DynamicImage {
    let side = picture.width().min(picture.height());
    picture.crop_imm((picture.width() - side) / 2, (picture.height() - side) / 2, side, side)
}

/// JPEG, or PNG for what is transparent.
fn encode(picture: &DynamicImage, quality: u8) -> anyhow::Result<(Format, Vec<u8>)> {
    if !picture.color().has_alpha() {
        return Ok((Format::Jpeg, jpeg(picture, quality)?));
    }
    let pixels = picture.to_rgba8();
    let mut bytes = Vec::new();
    let (width, height) = pixels.dimensions();
    PngEncoder::new(&mut bytes).write_image(&pixels, width, height, ExtendedColorType::Rgba8)?;
    Ok((Format::Png, bytes))
}

fn jpeg(picture: &DynamicImage, quality: u8) -> anyhow::Result<Vec<u8>> {
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
