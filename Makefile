# Catwalk, from a fresh clone: `make setup`, then `make demo`.
#   DATA=folder    a shop's own files and its sources.yaml; without it a shop is simulated
#   SHOP=name      each shop keeps everything of its own in var/SHOP
#   PYTHON=python  the Python to set up with; default: the newest that runs
DATA ?=
SHOP ?= $(if $(DATA),$(notdir $(patsubst %/,%,$(DATA))),simulated)
PYTHON ?=
export CATWALK_HOME ?= $(CURDIR)/var/$(SHOP)
export CATWALK_SHOW_LISTS_BY ?= models.serving.show_lists:ListsOnShow
run := .venv/bin/python -m
serving := models.serving.serve
loop := --simulate jobs.simulate_shop:main --world jobs.simulation.world:world_of --ingest jobs.ingest_events:main \
	--ingest_served jobs.ingest_served:main --gate_events expectations.events:gate_events --build jobs.build_interactions:main \
	--gate_items expectations.items:gate_items --gate_interactions expectations.interactions:gate_interactions \
	--gate_steps expectations.steps:gate_steps --recommend jobs.recommend_users:main \
	--gate_recommendations expectations.recommendations:gate_recommendations --build_marts jobs.build_marts:main \
	--gate_marts expectations.marts:gate_marts
ready := .venv/.ready
two := -n 2 --dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo up serve waiting try-source quarantine replay who-was-live test test-faults soak-ingest bench-ingest bench-quality bench-models bench-needs bench-serve bench-marts bench-gate bench-release bench-loop bench-loop-rates demo-loop check-release lint types lock pictures settings dictionary java clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: DATA=folder SHOP=name PYTHON=python3.12 (see the first lines of the Makefile)"

setup: $(ready) ## Make .venv with everything in it, pinned and hashed; instant when nothing changed
	@$(run) infra.spark.class_archive 2>/dev/null || echo "Spark's classes could not be archived; everything works, only slower."

$(ready): pyproject.toml requirements-dev.lock requirements-setup.lock requirements-compile.lock requirements-java.lock infra/deployment/setup.sh
	@infra/deployment/setup.sh $(PYTHON)

demo: setup ## One whole retraining in two to five minutes, on simulated data or on DATA=folder
	@$(run) infra.demo $(if $(DATA),--data "$(DATA)" --newest jobs.newest_event,--simulate jobs.simulate_shop) --serve $(serving)

up: setup ## Airflow, MLflow and the server for var/SHOP, retraining on the schedule; Ctrl-C stops all
	@$(run) infra.shop.up --serve $(serving)

serve: $(ready) ## What is live in var/SHOP, over REST; CATWALK_SERVING_PORT and _WORKERS say where
	@$(run) $(serving)

waiting: $(ready) ## The batches of var/SHOP that a gate stopped and nobody has decided on
	@$(run) expectations.resolve_batch

try-source: $(ready) ## What SOURCE=name of jobs/sources.yaml makes of the files in DATA=folder; nothing is kept
	@$(run) jobs.try_source --data "$(DATA)" --source "$$SOURCE" --gate expectations.events:gate_events

quarantine: $(ready) ## What stands in quarantine of var/SHOP, by batch and reason
	@$(run) jobs.replay_quarantine list

replay: $(ready) ## Read quarantined rows again: REASON= BATCH= SOURCE=, FIX="sed -i s/old/new/"
	@$(run) jobs.replay_quarantine replay --reason "$$REASON" --batch "$$BATCH" --source "$$SOURCE" --fix "$$FIX"

who-was-live: $(ready) ## Which model was live AT="2026-11-24 14:05" (UTC), on which data, who let it
	@$(run) infra.ledger.who_was_live "$$AT"

test: setup ## All tests but those of test-faults, two at a time
	@$(run) pytest -m "not faults" $(two)

test-faults: setup ## The tests that kill, soak, fill a disk, type what the docs say, or need a server
	@$(run) pytest -m faults $(two)

soak-ingest: setup ## Kill the ingestion KILLS=30 times at random moments; its tables must not show it
	@$(run) pytest -s tests/jobs/test_ingest_events_kills.py tests/jobs/test_ingest_events_faults.py --kills $(or $(KILLS),30)

bench-ingest: setup ## Ingesting EVENTS=10000000 with 1% dirt, against DuckDB doing the same on the same files
	@$(run) jobs.benches.bench_ingest $(if $(EVENTS),--events $(EVENTS))

bench-quality: $(ready) ## LightFM's published numbers through our code, and all models on a real shop
	@$(run) models.benches.quality

bench-models: $(ready) ## What evaluating, recommending and training cost, against LightFM and implicit
	@$(run) models.benches.costs

bench-needs: $(ready) ## What each candidate needs per user, item and pair: memory, disk and time
	@$(run) models.benches.needs

bench-serve: $(ready) ## What the server answers a second over HTTP, beside its framework alone; KIND=factors for the other model
	@CATWALK_HOME=$(CURDIR)/var/bench_serve $(run) models.benches.serving $(if $(KIND),--kind $(KIND))

bench-marts: $(ready) ## From 10 million exposures to KPIs and units of an A/B test; EVENTS=1000000 for a quick one
	@CATWALK_HOME=$(CURDIR)/var/bench_marts $(run) jobs.benches.bench_marts $(if $(EVENTS),--events $(EVENTS))

bench-gate: $(ready) ## What the events gate costs on 10 million rows; ROWS=1000000 for a quick one
	@$(run) expectations.bench_gate $(if $(ROWS),--rows $(ROWS))

bench-release: setup ## How often a release is decided rightly: many replayed, with known faults; PAIRS=2 for a quick one
	@CATWALK_HOME=$(CURDIR)/var/bench_release $(run) models.benches.releases $(if $(PAIRS),--pairs $(PAIRS)) $(if $(DATA),--data "$(DATA)") \
		--simulate jobs.simulate_shop:main --ingest jobs.ingest_events:main \
		--gate expectations.events:gate_events --build jobs.build_interactions:main

bench-loop: setup ## The loop, proven: served over HTTP, killed, counted, judged; and 2,000 tests whose truth is known
	@CATWALK_HOME=$(CURDIR)/var/bench_loop $(run) models.benches.loop $(loop) --needy "those who come for one thing" \
		--kinds "shoppers,bargain hunters,originals,impatient,regulars" $(if $(REPETITIONS),--repetitions $(REPETITIONS))

demo-loop: setup ## From an empty folder to a shop that is served, tested, measured and decided; then make up SHOP=loop
	@CATWALK_HOME=$(CURDIR)/var/loop $(run) models.benches.demo_loop $(loop)

bench-loop-rates: $(ready) ## How often A/B tests are judged rightly: 2,000 simulated ones whose truth is known; REPETITIONS=100 for a quick one
	@$(run) models.benches.loop_rates $(if $(REPETITIONS),--repetitions $(REPETITIONS))

check-release: $(ready) ## Check models/release.yaml and replay it on the last runs; RUNS=20 takes more
	@$(run) models.release.check_release $(if $(RUNS),--runs $(RUNS))

lint: $(ready) ## ruff: style, docstrings, formatting
	@$(run) ruff check .
	@$(run) ruff format --check .

types: $(ready) ## mypy, strict
	@$(run) mypy

lock: $(ready) ## Write the requirements*.lock files anew; UPGRADE=1 takes newer versions
	@infra/deployment/lock.sh $(if $(UPGRADE),--upgrade)

pictures: $(ready) ## The pictures of docs/, of a shop that ran `make demo`; needs chromium
	@$(run) infra.demo.pictures

settings: $(ready) ## Every CATWALK_ setting with its default
	@$(run) infra.settings_page

dictionary: $(ready) ## Every table of the lake with its columns, types and units
	@$(run) infra.dictionary_page

java: $(ready) ## Bring a Java by pip, for a machine that has none
	@infra/deployment/java.sh

clean: ## Remove caches; var/ with its data and .venv stay
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build spark-warehouse
	@find . -path ./.venv -prune -o -path ./var -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
