//! A file for the Parquet reader, which reads pieces of it in any order.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::count::exactly;
use crate::destination::PartReader;

/// A file that is read in pieces.
#[derive(Clone)]
pub(crate) struct FileChunks {
    file: Arc<Mutex<Box<dyn PartReader>>>,
    length: u64,
}

impl FileChunks {
    /// Takes a file.
    ///
    /// # Errors
    ///
    /// If its length cannot be found out.
    pub(crate) fn new(mut file: Box<dyn PartReader>) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            length,
        })
    }

    fn file(&self) -> MutexGuard<'_, Box<dyn PartReader>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Length for FileChunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for FileChunks {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(ReadFrom {
            chunks: self.clone(),
            offset: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let mut chunk = Vec::with_capacity(length);
        let mut file = self.file();
        file.seek(SeekFrom::Start(start))?;
        let read = (&mut **file).take(length as u64).read_to_end(&mut chunk)?;
        if read != length {
            return Err(ParquetError::EOF(format!(
                "expected {}, read only {read}",
                exactly(length as u64, "byte")
            )));
        }
        Ok(chunk.into())
    }
}

/// Reads from an offset on, whatever else is read from the file meanwhile.
pub(crate) struct ReadFrom {
    chunks: FileChunks,
    offset: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.chunks.file();
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read(buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_independent_of_each_other() {
        let file = io::Cursor::new((0..=255).collect::<Vec<u8>>());
        let chunks = FileChunks::new(Box::new(file)).unwrap();
        assert_eq!(chunks.len(), 256);
        let mut buffer = [0; 2];
        let mut first = chunks.get_read(10).unwrap().into_inner();
        first.read_exact(&mut buffer).unwrap();
        assert_eq!(buffer, [10, 11]);
        assert_eq!(chunks.get_bytes(100, 3).unwrap(), &[100, 101, 102][..]);
        first.read_exact(&mut buffer).unwrap();
        assert_eq!(buffer, [12, 13]);
        assert!(chunks.get_bytes(255, 2).is_err());
    }
}
