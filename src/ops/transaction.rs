//! The operation `transaction`: several changes, all or none.

use super::call::{Call, condition};
use super::prepared::{Prepared, Sources, label};
use crate::atomic::Condition;
use crate::error::{Code, Error, Result};
use crate::lock::LockGuard;
use crate::transaction::{Transaction, TransactionOptions, WriteHow};
use crate::wire::{self, Object};
use crate::workspace::Changed;
use serde_json::{Value, json};

pub fn transaction(call: &mut Call<'_, '_>) -> Result<Value> {
    let operations = call.request.list("operations").to_vec();
    operations.iter().try_for_each(|operation| agrees(call, operation))?;
    let labels: Vec<Object> = operations.iter().map(label).collect();
    let mut options = options(call)?;
    let mut sources = Sources::of(call.contents);
    let prepare = |operation| sources.prepare(operation, |o| o.transaction);
    let mut prepared = operations.into_iter().map(prepare).collect::<Result<Vec<Prepared<'_>>>>()?;
    options.held = prepared.iter().filter_map(|operation| held(operation).transpose()).collect::<Result<_>>()?;
    let names: Vec<&str> = prepared.iter().map(|operation| operation.operation.name).collect();
    let mut transaction = Transaction::with(call.handler.workspace(), options);
    for operation in &mut prepared {
        stage(&mut transaction, operation).map_err(|e| e.during("transaction"))?;
    }
    let committed = transaction.commit()?;
    let results = labels.into_iter().zip(names).zip(&committed.results);
    let results: Vec<Value> = results.map(|((label, name), changed)| success(label, name, changed)).collect();
    Ok(json!({ "results": results, "id": committed.id }))
}

fn options<'t>(call: &Call<'_, '_>) -> Result<TransactionOptions<'t>> {
    let mut options = TransactionOptions { progress: call.progress.clone(), ..TransactionOptions::default() };
    options.algorithm = call.request.algorithm("algorithm")?.unwrap_or(options.algorithm);
    options.verify = call.request.flag("verify_integrity").unwrap_or(options.verify);
    options.lock = call.lock_options()?;
    Ok(options)
}

/// Refuses what an operation asks for and a transaction does not do: less than it always does, or something of its own
/// that can only be decided for all.
fn agrees(call: &Call<'_, '_>, operation: &Value) -> Result<()> {
    let always = [("create_version", json!(true)), ("durability", json!("full"))];
    for (key, value) in always {
        if operation.get(key).is_some_and(|given| !given.is_null() && *given != value) {
            let words = format!("`{key}`: a transaction is always durable in full and keeps every version");
            return Err(Error::message(Code::InvalidArgument, words));
        }
    }
    for key in ["algorithm", "verify_integrity", "timeout"] {
        let given = operation.get(key).filter(|given| !given.is_null());
        if given.is_some_and(|given| Some(given) != call.request.json(key)) {
            let words = format!("`{key}` is decided for the transaction as a whole");
            return Err(Error::message(Code::InvalidArgument, words));
        }
    }
    Ok(())
}

/// The lock that the caller holds for an operation.
fn held<'b>(operation: &Prepared<'b>) -> Result<Option<&'b LockGuard>> {
    operation.request.count("lock").map(|number| operation.contents.lock(number)).transpose()
}

fn stage<'t>(transaction: &mut Transaction<'t>, operation: &'t mut Prepared<'_>) -> Result<()> {
    let request = &operation.request;
    let condition = condition(request, request.algorithm("algorithm")?.unwrap_or_default())?;
    match operation.operation.name {
        "write" => {
            let how = WriteHow { condition, mode: request.mode("mode")? };
            transaction.write_from(request.name("path")?, operation.source()?, how);
        }
        "delete" if condition != Condition::Always => {
            let words = "`if_checksum`: a transaction deletes without condition";
            return Err(Error::message(Code::InvalidArgument, words));
        }
        "delete" => drop(transaction.delete(request.name("path")?)),
        "rename" => drop(transaction.rename_if(request.name("source")?, request.name("destination")?, condition)),
        "copy" => drop(transaction.copy_if(request.name("source")?, request.name("destination")?, condition)),
        _ => return Err(Error::new(Code::Internal)),
    }
    Ok(())
}

fn success(mut label: Object, name: &str, changed: &Changed) -> Value {
    label.insert("status".into(), "success".into());
    label.extend(if name == "delete" { wire::deleted(changed) } else { wire::changed(changed) });
    Value::Object(label)
}
