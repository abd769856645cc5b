"""Python, Spark and the JVM give a unit the same bucket: a hash that changes moves everybody."""

from __future__ import annotations

import doctest
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from infra.ledger import assignment
from infra.ledger.assignment import LAYER_SALT, bucket_of

GOLDEN = [  # salt, unit, bucket: never to be changed
    ("home-1", "6b8848b4369213f569a85289031e5f11", 1499),
    (LAYER_SALT, "6b8848b4369213f569a85289031e5f11", 6724),
    ("0123456789abcdef0123456789abcdef", "00000000000000000000000000000000", 3323),
    ("0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff", 5301),
    ("0123456789abcdef0123456789abcdef", "Zoë ☃", 7877),
    ("", "", 9014),
]
JAVA = """
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

public final class Buckets {
    static int bucketOf(String salt, String unit) throws Exception {
        byte[] text = (salt + "." + unit).getBytes(StandardCharsets.UTF_8);
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(text);
        String hex = String.format("%064x", new BigInteger(1, hash));
        return (int) (Long.parseLong(hex.substring(0, 15), 16) % 10000);
    }

    public static void main(String[] given) throws Exception {
        for (int i = 0; i < given.length; i += 2) {
            System.out.println(bucketOf(given[i], given[i + 1]));
        }
    }
}
"""


def test_the_buckets_of_python_are_the_golden_ones() -> None:
    assert [(salt, unit, bucket_of(salt, unit)) for salt, unit, _ in GOLDEN] == GOLDEN
    tried = doctest.testmod(assignment)
    assert (tried.failed, tried.attempted > 0) == (0, True)


def test_the_buckets_of_spark_are_the_golden_ones(spark: SparkSession) -> None:
    rows = spark.createDataFrame(GOLDEN, "salt string, unit string, bucket int")
    said = "cast(conv(substr(sha2(concat(salt, '.', unit), 256), 1, 15), 16, 10) as bigint) % 10000"
    assert said.removeprefix("cast(").replace(" as bigint)", "") in (assignment.__doc__ or "")
    counted = rows.selectExpr("salt", "unit", f"{said} as bucket").collect()
    assert [tuple(row) for row in counted] == GOLDEN


@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no javac: a JRE, or no Java")
def test_the_buckets_of_the_jvm_are_the_golden_ones(tmp_path: Path) -> None:
    (tmp_path / "Buckets.java").write_text(JAVA, encoding="utf-8")
    subprocess.run(["javac", "Buckets.java"], cwd=tmp_path, check=True, timeout=120)
    given = [text for salt, unit, _ in GOLDEN if unit.isascii() for text in (salt, unit)]
    done = subprocess.run(
        ["java", "Buckets", *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    expected = [bucket for _, unit, bucket in GOLDEN if unit.isascii()]
    assert [int(line) for line in done.stdout.split()] == expected


def test_buckets_are_uniform_and_those_of_two_salts_independent() -> None:
    units = [f"{unit:032x}" for unit in range(40_000)]
    first, second = (
        np.array([bucket_of(salt, unit) for unit in units]) // 1_000 for salt in ("a", "b")
    )
    table = np.zeros((10, 10))
    np.add.at(table, (first, second), 1)
    distance = ((table - 400) ** 2 / 400).sum()
    assert 60 < distance < 149, "a chi-square of 99 degrees of freedom"
