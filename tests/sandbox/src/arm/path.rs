//! ARM's paths, which mean the same in any case of letters.

/// A path in lower case.
#[derive(Debug)]
pub(crate) struct Path {
    lower: Vec<String>,
}

impl Path {
    pub(crate) fn new(segments: &[String]) -> Self {
        Self {
            lower: segments.iter().map(|part| part.to_lowercase()).collect(),
        }
    }

    /// Returns the parts in lower case.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.lower.iter().map(String::as_str).collect()
    }

    /// Returns the first eight parts, `/subscriptions/…/providers/{namespace}/{type}/{name}`, in
    /// lower case.
    pub(crate) fn resource_id(&self) -> String {
        format!("/{}", self.lower[..self.lower.len().min(8)].join("/"))
    }
}
