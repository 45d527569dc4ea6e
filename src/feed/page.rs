//! A page of the feed, split into its items without parsing their values.
