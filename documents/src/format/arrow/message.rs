//! Messages of Arrow, and the custom metadata of those with rows, which the writers of the library leave out.

use anyhow::{Context, Result, anyhow};
use arrow_ipc::convert::metadata_to_fb;
use arrow_ipc::writer::{EncodedData, IpcWriteOptions, write_message};
use arrow_ipc::{
    Block, BodyCompressionBuilder, FooterBuilder, MessageBuilder, MessageHeader, MetadataVersion,
    RecordBatchBuilder, root_as_message,
};
use arrow_schema::{Metadata, Schema};
use flatbuffers::FlatBufferBuilder;

/// How files begin and end.
const MAGIC: &[u8; 6] = b"ARROW1";

/// The message after the last one: that the length of the next is 0.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Appends the beginning of a file.
pub(super) fn begin_file(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    // Messages begin at multiples of 8.
    out.extend_from_slice(&[0, 0]);
}

/// Appends a message. Returns where it is, if it begins at `offset`.
pub(super) fn append(
    message: EncodedData,
    offset: u64,
    options: &IpcWriteOptions,
    out: &mut Vec<u8>,
) -> Result<Block> {
    let (header, body) = write_message(out, message, options)?;
    Ok(Block::new(
        i64::try_from(offset)?,
        i32::try_from(header)?,
        i64::try_from(body)?,
    ))
}

/// The header of a message with rows, with what it says of itself.
pub(super) fn with_metadata(header: &[u8], said: &Metadata) -> Result<Vec<u8>> {
    let message = root_as_message(header).map_err(|why| anyhow!("{why}"))?;
    let rows = message.header_as_record_batch();
    let rows = rows.context("a message has no rows")?;
    let mut fbb = FlatBufferBuilder::new();
    let nodes: Vec<_> = rows.nodes().iter().flatten().copied().collect();
    let buffers: Vec<_> = rows.buffers().iter().flatten().copied().collect();
    let nodes = fbb.create_vector(&nodes);
    let buffers = fbb.create_vector(&buffers);
    let compression = rows.compression().map(|used| {
        let mut compression = BodyCompressionBuilder::new(&mut fbb);
        compression.add_codec(used.codec());
        compression.add_method(used.method());
        compression.finish()
    });
    let said = metadata_to_fb(&mut fbb, said);
    let mut copy = RecordBatchBuilder::new(&mut fbb);
    copy.add_length(rows.length());
    copy.add_nodes(nodes);
    copy.add_buffers(buffers);
    if let Some(compression) = compression {
        copy.add_compression(compression);
    }
    let copy = copy.finish();
    let mut with = MessageBuilder::new(&mut fbb);
    with.add_version(message.version());
    with.add_header_type(MessageHeader::RecordBatch);
    with.add_bodyLength(message.bodyLength());
    with.add_header(copy.as_union_value());
    with.add_custom_metadata(said);
    let with = with.finish();
    fbb.finish(with, None);
    Ok(fbb.finished_data().to_vec())
}

/// Appends the end of a stream.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(&END);
}

/// Appends the footer of a file, which comes after the [end](end()) of its messages.
pub(super) fn append_footer(
    schema: &Schema,
    dictionaries: &[Block],
    batches: &[Block],
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut fbb = FlatBufferBuilder::new();
    let dictionaries = fbb.create_vector(dictionaries);
    let batches = fbb.create_vector(batches);
    let mut ids = arrow_ipc::writer::DictionaryTracker::new(true);
    let schema = arrow_ipc::convert::IpcSchemaEncoder::new()
        .with_dictionary_tracker(&mut ids)
        .schema_to_fb_offset(&mut fbb, schema);
    let mut footer = FooterBuilder::new(&mut fbb);
    footer.add_version(MetadataVersion::V5);
    footer.add_schema(schema);
    footer.add_dictionaries(dictionaries);
    footer.add_recordBatches(batches);
    let footer = footer.finish();
    fbb.finish(footer, None);
    let footer = fbb.finished_data();
    out.extend_from_slice(footer);
    out.extend_from_slice(&i32::try_from(footer.len())?.to_le_bytes());
    out.extend_from_slice(MAGIC);
    Ok(())
}
