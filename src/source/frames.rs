//! Compressed input: one frame after the other, up to the end of the input.
//!
//! A gzip or Zstandard file may consist of several frames, for example if it was appended to. Bytes after
//! the last frame that do not begin another one are an error: they are neither ignored nor mistaken for a
//! truncated frame.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use zstd::stream::read::Decoder;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
}

impl Codec {
    /// The codec of an input, by its first bytes.
    pub(super) fn of(magic: &[u8]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Whether a frame can begin with these bytes. There may be only one.
    fn may_begin(self, bytes: &[u8]) -> bool {
        let begins = |magic: &[u8]| magic.iter().zip(bytes).all(|(a, b)| a == b);
        match self {
            Self::Gzip => begins(&[0x1f, 0x8b]),
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
}

impl<R: BufRead> Frame<R> {
    fn new(codec: Codec, bytes: R) -> io::Result<Self> {
        Ok(match codec {
            Codec::Gzip => Self::Gzip(Box::new(GzDecoder::new(bytes))),
            Codec::Zstd => Self::Zstd(Decoder::with_buffer(bytes)?.single_frame()),
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }

    fn into_rest(self) -> R {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
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

    fn compress(codec: Codec, text: &[u8]) -> Vec<u8> {
        match codec {
            Codec::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Zstd => zstd::encode_all(text, 1).unwrap(),
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
        for codec in [Codec::Gzip, Codec::Zstd] {
            let one = compress(codec, b"one\n");
            let two = [one.clone(), compress(codec, b""), compress(codec, b"two\n")].concat();
            let skipped = b"\x53\x2a\x4d\x18\x03\0\0\0abc";
            for buffer in [1, 2, 5, 4096] {
                assert_eq!(read(codec, &one, buffer), (b"one\n".to_vec(), None));
                assert_eq!(read(codec, &two, buffer), (b"one\ntwo\n".to_vec(), None));
                for junk in [
                    &b"\0"[..],
                    &[0; 512],
                    b"hello",
                    b"{\"id\":1}\n",
                    b"\x1f\x8bno header of gzip",
                    b"\x28\xb5\x2f\xfe____________",
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
