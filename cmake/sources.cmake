# Every source file of the library, by folder. A new file is one line here.

set(FREEHOLD_BASE_SOURCES
  src/base/hash.cc
  src/base/intern.cc
  src/base/mutex.cc
)

set(FREEHOLD_CORE_SOURCES
  src/core/codec.cc
  src/core/copy_table.cc
  src/core/copy_table_check.cc
  src/core/copy_table_work.cc
  src/core/frame.cc
  src/core/id_index.cc
  src/core/location_set.cc
  src/core/node_index.cc
  src/core/object_table.cc
  src/core/object_table_callbacks.cc
  src/core/object_table_locations.cc
  src/core/object_table_queries.cc
  src/core/record_slabs.cc
  src/core/session.cc
  src/core/session_options.cc
  src/core/session_table.cc
  src/core/slab_source.cc
)

set(FREEHOLD_RUNTIME_SOURCES
  src/runtime/callback_executor.cc
  src/runtime/callback_thread_rep.cc
  src/runtime/clock.cc
  src/runtime/counter_impl.cc
  src/runtime/counter_nesting.cc
  src/runtime/counter_pump.cc
  src/runtime/endpoint.cc
  src/runtime/endpoint_role.cc
  src/runtime/endpoint_turn.cc
  src/runtime/host_jobs.cc
  src/runtime/ids.cc
  src/runtime/local_membership.cc
  src/runtime/local_transport.cc
  src/runtime/log_spdlog.cc
  src/runtime/names.cc
  src/runtime/node_agent.cc
  src/runtime/node_agent_end.cc
  src/runtime/node_agent_pump.cc
  src/runtime/object_ref.cc
  src/runtime/reference_counter.cc
  src/runtime/reference_counter_locations.cc
  src/runtime/reference_counter_queries.cc
)

set(FREEHOLD_TESTING_SOURCES
  src/testing/faulty_transport.cc
  src/testing/manual_clock.cc
  src/testing/manual_executor.cc
)
