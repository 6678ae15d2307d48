//! What is wrong with an image.

use model::oci::BadReference;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A digest that is none, or of a kind that jaula does not know.
    #[error(transparent)]
    Digest(#[from] BadReference),
    /// It is neither a layout nor an archive of an image.
    #[error("{0} is no image: it has neither index.json nor manifest.json")]
    NoImage(String),
    /// Several, and none was named.
    #[error("there are several images in it: {0}")]
    Several(String),
    /// No image of that name.
    #[error("there is no image {wanted:?} in it; there are: {there}")]
    None {
        /// What was named.
        wanted: String,
        /// What is there.
        there: String,
    },
    /// Nothing for this machine.
    #[error("it is not for this machine, linux/{wanted}, but for {there}")]
    Platform {
        /// What this machine is.
        wanted: String,
        /// What it is for.
        there: String,
    },
    /// A part that is not there.
    #[error("it lacks its part {0}")]
    Missing(String),
    /// It makes no sense.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] std::io::Error),
    /// The registry cannot be reached.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The registry, or where it sent us.
        host: String,
        /// Why.
        why: String,
    },
    /// The registry says no.
    #[error("{host} answers {status} to {what}{}", if .said.is_empty() { String::new() } else { format!(": {said}") })]
    Refused {
        /// The registry.
        host: String,
        /// Its answer.
        status: u16,
        /// What was asked for.
        what: String,
        /// Its words.
        said: String,
    },
}

impl ImageError {
    /// The way out, in one line.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Digest(bad) => bad.help().to_owned(),
            Self::NoImage(_) => {
                "a layout is a directory with index.json; archives are those of docker save and \
                                 skopeo copy … oci-archive:"
                    .to_owned()
            }
            Self::Several(_) | Self::None { .. } => "name one of them: oci:PATH:TAG".to_owned(),
            Self::Platform { .. } => "ask its maker for one of this machine's kind".to_owned(),
            Self::Missing(_) | Self::Damaged(_) => "get it again".to_owned(),
            Self::Refused { status: 401 | 403, .. } => {
                "the registry wants somebody that it knows: log in there with podman, skopeo or docker, or name a file \
                 that they wrote in REGISTRY_AUTH_FILE"
                    .to_owned()
            }
            Self::Refused { status: 404, .. } => "see that name and tag are right".to_owned(),
            Self::Refused { status: 429, .. } => "it was asked too often: wait, and try again".to_owned(),
            Self::Unreachable { .. } | Self::Refused { .. } => {
                "see that the host has a way there, and try again".to_owned()
            }
            Self::Read(_) => return None,
        })
    }
}
