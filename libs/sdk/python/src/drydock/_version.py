"""The version of this package, one number for the SDKs of all languages."""

VERSION = "0.1.0"
