"""The files that a Hadoop pattern matches, in one call to the JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FOLDER = -1
# Asked one by one over the bridge to Python, 10,000 files take 3.7 s; so 0.6 s, compiling included
# (the compiler is the one that Spark compiles its queries with).
_TO_TEXT = """
    StringBuilder text = new StringBuilder();
    for (int place = 0; place < found.length; place++) {
        org.apache.hadoop.fs.FileStatus one = found[place];
        text.append(one.isDirectory() ? -1L : one.getLen()).append(' ');
        text.append(one.getPath().toString()).append((char) 0);
    }
    return text.toString();
"""


def matches(spark: SparkSession, pattern: str) -> dict[str, int]:
    """Return the sizes in bytes of what a pattern matches, by Hadoop's address; empty if nothing.

    A folder has the size `FOLDER`.
    """
    context = spark.sparkContext
    jvm = context._jvm
    assert jvm is not None
    path = jvm.org.apache.hadoop.fs.Path(pattern)
    found = path.getFileSystem(context._jsc.hadoopConfiguration()).globStatus(path)
    if found is None:
        return {}
    lines = (line.split(" ", 1) for line in _to_text(spark, found).split("\0")[:-1])
    return {address: int(size) for size, address in lines}


def _to_text(spark: SparkSession, found: object) -> str:
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    jvm = gateway.jvm
    evaluator = jvm.org.codehaus.janino.ScriptEvaluator()
    evaluator.setReturnType(jvm.Class.forName("java.lang.String"))
    kinds, names, given = (
        gateway.new_array(kind, 1) for kind in (jvm.Class, jvm.String, jvm.Object)
    )
    kinds[0] = jvm.Class.forName("[Lorg.apache.hadoop.fs.FileStatus;")
    names[0], given[0] = "found", found
    evaluator.setParameters(names, kinds)
    evaluator.cook(_TO_TEXT)
    return str(evaluator.evaluate(given))
