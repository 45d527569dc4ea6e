//! The overflow of a row: what fits no column.

/// The JSON text of an object, written while the document is read.
#[derive(Debug, Default)]
pub(super) struct Overflow<'a> {
    pub(super) text: Vec<u8>,
    /// The names of the objects that are being read, as they are between their quotes.
    pub(super) levels: Vec<&'a [u8]>,
    /// How many of them have been opened in the text.
    opened: usize,
}

impl<'a> Overflow<'a> {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.levels.clear();
        self.opened = 0;
    }

    fn name(&mut self, name: &[u8]) {
        if self.text.last() != Some(&b'{') {
            self.text.push(b',');
        }
        self.text.push(b'"');
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b"\":");
    }

    /// Opens the object that is being read in the text.
    pub(super) fn open(&mut self) {
        while self.opened < self.levels.len() {
            if self.opened > 0 {
                self.name(self.levels[self.opened]);
            }
            self.text.push(b'{');
            self.opened += 1;
        }
    }

    /// Adds a member to the object that is being read.
    pub(super) fn member(&mut self, name: &[u8], value: &[u8]) {
        self.open();
        self.name(name);
        self.text.extend_from_slice(value);
    }

    /// Closes the object that is being read.
    pub(super) fn leave(&mut self) {
        if self.opened == self.levels.len() && self.opened > 0 {
            self.text.push(b'}');
            self.opened -= 1;
        }
        self.levels.pop();
    }
}
