//! Transactions that a crash had left, finished when the base folder was opened: nobody else would tell.

use crate::failure;
use electrus::handler::AdvancedFileHandler;
use electrus::wire;
use serde_json::Value;

/// For people: remarks on stderr.
pub fn tell(handler: &AdvancedFileHandler) {
    for transaction in handler.workspace().recovered() {
        let id = &transaction.id;
        if let Some(problem) = &transaction.problem {
            failure::warn(&format!("transaction {id}, which a crash had left, could not be finished: {problem}"));
            continue;
        }
        failure::warn(&format!("transaction {id}, which a crash had left, has been finished"));
        for file in &transaction.files {
            if let Some(version) = file.outside_edit {
                let path = file.path.display();
                failure::warn(&format!("{path}: what another program had written there is kept as version {version}"));
            }
        }
    }
}

/// For programs: `recovered` in the result, if there is something to tell.
pub fn put(handler: &AdvancedFileHandler, result: &mut Value) {
    let recovered = handler.workspace().recovered();
    if let (Some(object), false) = (result.as_object_mut(), recovered.is_empty()) {
        object.insert("recovered".into(), recovered.iter().map(wire::recovered).collect());
    }
}
