use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, sys};
use std::ptr;

/// A Float64Array of the caller, wherever its memory is: of the heap, shared, or of WebAssembly. Only its address is kept, so that several
/// arguments may be views of the same memory.
pub struct Numbers {
    start: *mut f64,
    length: usize,
}

impl Numbers {
    /// Address of at least `length` numbers, or an error that names the argument.
    pub fn at_least(&self, length: usize, name: &str) -> Result<*mut f64> {
        if self.length < length {
            return Err(Error::new(Status::InvalidArg, format!("{name}: expected {length} numbers, got {}", self.length)));
        }
        Ok(self.start)
    }

    /// `at_least` for numbers that are going to be written: large arrays that nobody has touched come in large pages, which are had and found
    /// faster. Changes no number.
    pub fn fresh(&self, length: usize, name: &str) -> Result<*mut f64> {
        let start = self.at_least(length, name)?;
        advise_large_pages(start, length);
        Ok(start)
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Safety: nobody writes the numbers while the slice lives.
    pub unsafe fn slice(&self) -> &[f64] {
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }

    /// Safety: nobody else uses the numbers while the slice lives.
    pub unsafe fn slice_mut(&self) -> &mut [f64] {
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl FromNapiValue for Numbers {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: Node writes to the pointers given and accepts null for what is not asked.
        let status =
            unsafe { sys::napi_get_typedarray_info(env, value, &mut kind, &mut length, &mut data, ptr::null_mut(), ptr::null_mut()) };
        if status != sys::Status::napi_ok || kind != sys::TypedarrayType::float64_array {
            return Err(Error::new(Status::InvalidArg, "expected a Float64Array"));
        }
        // An empty array has no address; nothing is read from the one that stands for it.
        let start = if length == 0 { ptr::NonNull::dangling().as_ptr() } else { data.cast() };
        Ok(Self { start, length })
    }
}

impl TypeName for Numbers {
    fn type_name() -> &'static str {
        "Float64Array"
    }
    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ValidateNapiValue for Numbers {}

/// Bytes of a large page, as Linux has them on the processors we build for.
const LARGE_PAGE: usize = 1 << 21;

#[cfg(target_os = "linux")]
fn advise_large_pages(start: *mut f64, length: usize) {
    unsafe extern "C" {
        fn madvise(start: *mut std::ffi::c_void, bytes: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
    }
    const MADV_HUGEPAGE: std::ffi::c_int = 14;
    let (from, to) = ((start as usize).next_multiple_of(LARGE_PAGE), (start as usize + 8 * length) / LARGE_PAGE * LARGE_PAGE);
    if from < to {
        // SAFETY: whole pages within the array; a system that has none refuses, and nothing depends on it.
        unsafe { madvise(from as *mut _, to - from, MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_large_pages(_: *mut f64, _: usize) {}
