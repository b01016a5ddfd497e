//! What jobs do with the bytes of files and photos.

use std::sync::Arc;

use api::blobs::{Blobs, Folder};
use async_trait::async_trait;
use model::{FileId, UserId, WorkspaceId};
use pictures::{PictureError, Workers};
use store::Store;
use tracing::info;

/// Where they lie, and who looks at pictures.
pub(crate) struct JobFiles {
    /// Bytes.
    pub(crate) blobs: Arc<Blobs>,
    /// What is known of them.
    pub(crate) store: Arc<dyn Store>,
    /// Looks at pictures.
    pub(crate) workers: Arc<Workers>,
}

#[async_trait]
impl jobs::Files for JobFiles {
    async fn delete_all(&self, workspace: WorkspaceId, file: FileId) -> Result<(), String> {
        self.blobs.delete_all(workspace, file).await.map_err(|failed| failed.to_string())
    }

    async fn picture(&self, workspace: WorkspaceId, file: FileId) -> Result<Option<jobs::Picture>, String> {
        let known = self.store.file(workspace, file, None).await.map_err(|failed| failed.to_string())?;
        let Some(known) = known.filter(|known| known.thumbnails_pending && !known.file.deleted) else {
            return Ok(None);
        };
        let Some(blob) = &known.blob else { return Ok(None) };
        let channels = api::shares::places(&known.shares);
        let bytes = self.blobs.read((workspace, file, blob), 0..known.file.size).await;
        let bytes = bytes.map_err(|failed| failed.to_string())?;
        let made = match self.workers.thumbnails(bytes).await {
            Ok(made) => made,
            Err(PictureError::Unusable(reason)) => {
                info!(%file, %reason, "a picture gets no thumbnails");
                return Ok(Some(jobs::Picture { image: None, channels }));
            }
            Err(failed) => return Err(failed.to_string()),
        };
        for (thumbnail, part) in made.image.thumbnails.iter().zip(made.parts) {
            let written = self.blobs.write_all((workspace, file, &thumbnail.blob()), part).await;
            written.map_err(|failed| failed.to_string())?;
        }
        Ok(Some(jobs::Picture { image: Some(made.image), channels }))
    }

    async fn delete_photo(&self, workspace: WorkspaceId, user: UserId, photo: &str) -> Result<(), String> {
        let known = self.store.user(workspace, user).await.map_err(|failed| failed.to_string())?;
        let has = known.and_then(|known| known.profile.photo).is_some_and(|has| has.name == photo);
        if has {
            return Ok(());
        }
        let folder = Folder::Photo(user, photo);
        self.blobs.delete_all(workspace, folder).await.map_err(|failed| failed.to_string())
    }
}
