//! Operations on the store as a whole.

use super::call::Call;
use crate::error::Result;
use crate::wire;
use serde_json::{Value, json};

pub fn verify(call: &mut Call<'_, '_>) -> Result<Value> {
    let report = call.handler.verify(call.progress)?;
    Ok(Value::Object(wire::verified(&report)))
}

pub fn repair(call: &mut Call<'_, '_>) -> Result<Value> {
    let break_leases = call.request.flag("break_leases") == Some(true);
    let report = call.handler.repair(break_leases, call.progress)?;
    Ok(json!({ "actions": report.actions }))
}

pub fn import(call: &mut Call<'_, '_>) -> Result<Value> {
    let from = call.request.name("from")?;
    let report = crate::import::import(call.handler.workspace(), from, call.progress)?;
    Ok(Value::Object(wire::imported(&report)))
}
