//! Compression of text in frames that end at each checkpoint, so that the committed part of a file can be
//! read and the rest can be cut off.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::write::GzEncoder;

use super::options::Compression;

/// Compresses a stream of bytes into frames (gzip calls them members). Readers treat consecutive frames as
/// one stream.
pub struct Compressor {
    codec: Codec,
    /// None between two frames.
    frame: Option<Frame>,
}

/// A codec for text, and its level.
#[derive(Clone, Copy)]
enum Codec {
    Gzip(u32),
    Zstd(i32),
}

/// The frame that is being written. Its compressed bytes are collected in its writer.
enum Frame {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Compressor {
    /// None if text is not compressed as a whole.
    pub fn of_text(compression: Compression) -> Option<Self> {
        let codec = match compression {
            Compression::Gzip(level) => Codec::Gzip(level),
            Compression::Zstd(level) => Codec::Zstd(level),
            Compression::None | Compression::Snappy | Compression::Lz4 => return None,
        };
        Some(Self { codec, frame: None })
    }

    /// Compresses `text`, and appends the compressed bytes that are ready to `out`.
    pub fn write(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let frame = match &mut self.frame {
            Some(frame) => frame,
            none => none.insert(Frame::begin(self.codec).context("cannot compress")?),
        };
        frame.write(text, out).context("cannot compress")
    }

    /// Ends the frame, if one was begun.
    pub fn end_frame(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self.frame.take() {
            Some(frame) => frame.end(out).context("cannot compress"),
            None => Ok(()),
        }
    }
}

impl Frame {
    fn begin(codec: Codec) -> std::io::Result<Self> {
        Ok(match codec {
            Codec::Gzip(level) => {
                let level = flate2::Compression::new(level);
                Self::Gzip(Box::new(GzEncoder::new(Vec::new(), level)))
            }
            Codec::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
                // With a checksum, readers notice flipped bits.
                encoder.include_checksum(true)?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    fn write(&mut self, text: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::Gzip(encoder) => {
                encoder.write_all(text)?;
                out.append(encoder.get_mut());
            }
            Self::Zstd(encoder) => {
                encoder.write_all(text)?;
                out.append(encoder.get_mut());
            }
        }
        Ok(())
    }

    fn end(self, out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::Gzip(encoder) => out.append(&mut encoder.finish()?),
            Self::Zstd(encoder) => out.append(&mut encoder.finish()?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn frames_can_be_read_up_to_each_end() {
        for compression in [Compression::Gzip(6), Compression::Zstd(3)] {
            let mut compressor = Compressor::of_text(compression).unwrap();
            let mut out = Vec::new();
            let mut text = String::new();
            for number in 1..6 {
                for line in 0..1000 * number {
                    let line = format!("{{\"id\":\"{number}-{line}\"}}\n");
                    compressor.write(line.as_bytes(), &mut out).unwrap();
                    text.push_str(&line);
                }
                compressor.end_frame(&mut out).unwrap();
                let mut read = String::new();
                match compression {
                    Compression::Gzip(_) => flate2::read::MultiGzDecoder::new(out.as_slice())
                        .read_to_string(&mut read)
                        .unwrap(),
                    _ => zstd::stream::read::Decoder::new(out.as_slice())
                        .unwrap()
                        .read_to_string(&mut read)
                        .unwrap(),
                };
                assert!(read == text, "{compression:?} {number}");
            }
        }
    }

    #[test]
    fn empty_text_makes_no_frame() {
        let mut compressor = Compressor::of_text(Compression::Gzip(1)).unwrap();
        let mut out = Vec::new();
        compressor.write(b"", &mut out).unwrap();
        compressor.end_frame(&mut out).unwrap();
        assert!(out.is_empty());
    }
}
