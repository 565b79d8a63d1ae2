//! What a service tells the user while it works. The command line decides where the text goes, and whether it is shown at all.

/// The user's view of work in progress.
pub(crate) trait Progress {
    /// Says what is being done, on a line of its own.
    fn say(&self, text: &str);

    /// Shows at a terminal how far the work is, in place of the text shown before; an empty text removes it.
    fn show(&self, text: &str);
}
