"""Files by key, on a disk or in a bucket, behind the same promises."""
