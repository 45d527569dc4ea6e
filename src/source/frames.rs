//! Compressed input: one frame after the other, up to the end of the input.
//!
//! A compressed file may consist of several frames (members, streams), for example if it was appended to. Bytes
//! after the last frame that do not begin another one are an error: they are neither ignored nor mistaken for
//! a truncated frame.

use std::fmt;
use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use zstd::stream::read::Decoder;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// The most memory that an xz stream can ask for, in KiB. `xz -9` asks for 64 MiB.
pub(super) const XZ_MEMORY_KIB: u32 = 256 << 10;

/// How many of an input's first bytes [`Codec::of`] needs.
pub(super) const MAGIC_BYTES: usize = 10;

impl Codec {
    /// The codec of an input, by its first bytes.
    pub(super) fn of(magic: &[u8]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            // The level, and then the first block, or the end of a stream without one. A text may begin with
            // the first four bytes.
            [b'B', b'Z', b'h', b'1'..=b'9', block @ ..]
                if block.starts_with(b"1AY&SY")
                    || block.starts_with(b"\x17\x72\x45\x38\x50\x90") =>
            {
                Some(Self::Bzip2)
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// Its name, and the program that decompresses it.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Gzip => ("gzip", "gzip -dc"),
            Self::Zstd => ("zstd", "zstd -dc"),
            Self::Bzip2 => ("bzip2", "bzip2 -dc"),
            Self::Xz => ("xz", "xz -dc"),
        }
    }

    /// Whether a frame can begin with these bytes. There may be only one.
    fn may_begin(self, bytes: &[u8]) -> bool {
        let begins = |magic: &[u8]| magic.iter().zip(bytes).all(|(a, b)| a == b);
        match self {
            Self::Gzip => begins(&[0x1f, 0x8b]),
            Self::Bzip2 => begins(b"BZh"),
            Self::Xz => begins(&[0xfd, b'7', b'z', b'X', b'Z', 0]),
            // Or a skippable frame, whose first half byte is any number.
            Self::Zstd => {
                begins(&[0x28, 0xb5, 0x2f, 0xfd])
                    || (bytes[0] & 0xf0 == 0x50
                        && bytes[1..]
                            .iter()
                            .zip([0x2a, 0x4d, 0x18])
                            .all(|(a, b)| *a == b))
            }
        }
    }
}

/// The input continues after its last frame.
#[derive(Debug)]
pub(super) struct TrailingBytes;

impl fmt::Display for TrailingBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are other bytes after the end of its compressed data")
    }
}

impl std::error::Error for TrailingBytes {}

/// Reads all frames as one.
pub(super) struct Frames<R: BufRead> {
    codec: Codec,
    /// None after the last frame, and after an error.
    frame: Option<Frame<R>>,
    is_first: bool,
    /// Whether any of the frame was read.
    has_begun: bool,
}

enum Frame<R: BufRead> {
    Gzip(Box<GzDecoder<R>>),
    Zstd(Decoder<'static, R>),
    Bzip2(BzDecoder<R>),
    Xz(Box<XzReader<R>>),
}

impl<R: BufRead> Frame<R> {
    fn new(codec: Codec, bytes: R) -> io::Result<Self> {
        Ok(match codec {
            Codec::Gzip => Self::Gzip(Box::new(GzDecoder::new(bytes))),
            Codec::Zstd => Self::Zstd(Decoder::with_buffer(bytes)?.single_frame()),
            Codec::Bzip2 => Self::Bzip2(BzDecoder::new(bytes)),
            Codec::Xz => {
                let stream = XzReader::new_mem_limit(bytes, false, XZ_MEMORY_KIB);
                Self::Xz(Box::new(stream))
            }
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
        }
    }

    fn into_rest(self) -> R {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(codec: Codec, bytes: R) -> io::Result<Self> {
        Ok(Self {
            codec,
            frame: Some(Frame::new(codec, bytes)?),
            is_first: true,
            has_begun: false,
        })
    }

    /// Continues with the next frame; there is none at the end of the input.
    fn next(&mut self) -> io::Result<()> {
        let Some(ended) = self.frame.take() else {
            return Ok(());
        };
        let mut rest = ended.into_rest();
        if self.codec == Codec::Xz {
            skip_padding(&mut rest)?;
        }
        let next = rest.fill_buf()?;
        if next.is_empty() {
            return Ok(());
        }
        if !self.codec.may_begin(next) {
            return Err(trailing());
        }
        self.frame = Some(Frame::new(self.codec, rest)?);
        self.is_first = false;
        self.has_begun = false;
        Ok(())
    }
}

/// Skips zeros after a stream of xz, which come in fours.
fn skip_padding(bytes: &mut impl BufRead) -> io::Result<()> {
    let mut skipped = 0;
    loop {
        let piece = bytes.fill_buf()?;
        let zeros = piece.iter().take_while(|byte| **byte == 0).count();
        let is_all = zeros == piece.len() && zeros > 0;
        bytes.consume(zeros);
        skipped += zeros;
        if !is_all {
            break;
        }
    }
    if skipped % 4 == 0 {
        Ok(())
    } else {
        Err(trailing())
    }
}

fn trailing() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, TrailingBytes)
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(frame) = &mut self.frame {
            match frame.read(buffer) {
                Ok(0) => self.next()?,
                Ok(read) => {
                    self.has_begun = true;
                    return Ok(read);
                }
                // It has the first bytes of a frame, but is not one.
                Err(error)
                    if !self.is_first
                        && !self.has_begun
                        && !matches!(
                            error.kind(),
                            io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted
                        )
                        && error.raw_os_error().is_none() =>
                {
                    self.frame = None;
                    return Err(trailing());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::*;

    const XZ_ONE: &str =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQADb25lCgD1XLtWH8b9hgABHARvLJzBH7bzfQEAAAAABFla";
    const XZ_TWO: &str =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQADdHdvCgBlBtb/xMD5OgABHARvLJzBH7bzfQEAAAAABFla";
    const XZ_EMPTY: &str = "/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo=";

    fn compress(codec: Codec, text: &[u8]) -> Vec<u8> {
        match codec {
            Codec::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Zstd => zstd::encode_all(text, 1).unwrap(),
            Codec::Bzip2 => {
                let level = bzip2::Compression::fast();
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            // The decoder has no encoder beside it: what `xz` makes of these texts.
            Codec::Xz => {
                use base64::Engine;
                let made = match text {
                    b"one\n" => XZ_ONE,
                    b"two\n" => XZ_TWO,
                    _ => XZ_EMPTY,
                };
                base64::prelude::BASE64_STANDARD.decode(made).unwrap()
            }
        }
    }

    /// What is read of `bytes` with a buffer of this size, and how it ends.
    fn read(codec: Codec, bytes: &[u8], buffer: usize) -> (Vec<u8>, Option<String>) {
        let bytes = BufReader::with_capacity(buffer, bytes);
        let mut text = Vec::new();
        let end = Frames::new(codec, bytes).and_then(|mut all| all.read_to_end(&mut text));
        (text, end.err().map(|error| error.to_string()))
    }

    #[test]
    fn every_frame_is_read_and_nothing_else() {
        for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz] {
            let one = compress(codec, b"one\n");
            let two = [one.clone(), compress(codec, b""), compress(codec, b"two\n")].concat();
            let skipped = b"\x53\x2a\x4d\x18\x03\0\0\0abc";
            for buffer in [1, 2, 5, 4096] {
                assert_eq!(read(codec, &one, buffer), (b"one\n".to_vec(), None));
                assert_eq!(read(codec, &two, buffer), (b"one\ntwo\n".to_vec(), None));
                for junk in [
                    &b"\0"[..],
                    &[0; 511],
                    b"hello",
                    b"{\"id\":1}\n",
                    b"\x1f\x8bno header of gzip",
                    b"\x28\xb5\x2f\xfe____________",
                    b"BZhello, this is no stream",
                    b"\xfd7zXX________________________",
                ] {
                    // None of these begins a frame of this codec, though some begin like one.
                    let (text, end) = read(codec, &[&two[..], junk].concat(), buffer);
                    assert_eq!(text, b"one\ntwo\n");
                    let end = end.unwrap();
                    assert_eq!(
                        end,
                        TrailingBytes.to_string(),
                        "{codec:?} {junk:?} {buffer}"
                    );
                }
                assert_eq!(Codec::of(&one), Some(codec));
                if codec == Codec::Xz {
                    let padded = [&one[..], &[0; 8], &two, &[0; 4]].concat();
                    let all = b"one\none\ntwo\n".to_vec();
                    assert_eq!(read(codec, &padded, buffer), (all, None));
                }
                if codec == Codec::Zstd {
                    let all = [&two[..], skipped].concat();
                    assert_eq!(read(codec, &all, buffer), (b"one\ntwo\n".to_vec(), None));
                }
                for end in 1..one.len() {
                    let (_, error) = read(codec, &one[..end], buffer);
                    assert!(error.is_some(), "{codec:?}: cut to {end}");
                    assert_ne!(error.unwrap(), TrailingBytes.to_string());
                }
            }
        }
    }
}
