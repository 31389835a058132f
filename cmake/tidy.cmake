# Target `tidy`: clang-tidy over every source file of ours that some target compiles, some of them at a
# time as one translation unit (tidy_batch.py says why). One stamp per batch, so ninja runs them side
# by side and a second run checks only what changed. A changed header is taken to concern every
# file: clang-tidy does not say which ones include it.

find_program(FREEHOLD_CLANG_TIDY clang-tidy)
find_program(FREEHOLD_PYTHON python3 HINTS /usr/bin)
mark_as_advanced(FREEHOLD_CLANG_TIDY FREEHOLD_PYTHON)
if(NOT FREEHOLD_CLANG_TIDY OR NOT FREEHOLD_PYTHON OR NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  return()
endif()

set(tidy_folder ${PROJECT_BINARY_DIR}/tidy)
set(tidy_batch_size 16)
set(tidy_script ${PROJECT_SOURCE_DIR}/cmake/tidy_batch.py)

file(GLOB_RECURSE tidy_headers CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/tests/*.h
  ${PROJECT_SOURCE_DIR}/bench/*.h ${PROJECT_SOURCE_DIR}/examples/*.h)

# A batch is looked at by the rules of its sources' folder.
file(GLOB tidy_configs CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/.clang-tidy ${PROJECT_SOURCE_DIR}/*/.clang-tidy)
set(tidy_rules "")
foreach(config IN LISTS tidy_configs)
  configure_file(${PROJECT_SOURCE_DIR}/${config} ${tidy_folder}/${config} COPYONLY)
  list(APPEND tidy_rules ${tidy_folder}/${config})
endforeach()

# freehold_tidy(NAME SOURCE...): appends a stamp to tidy_stamps.
function(freehold_tidy name)
  set(stamp ${tidy_folder}/${name})
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${FREEHOLD_PYTHON} ${tidy_script}
            ${FREEHOLD_CLANG_TIDY} ${PROJECT_BINARY_DIR} ${stamp} ${ARGN}
    DEPENDS ${ARGN} ${tidy_headers} ${tidy_rules} ${tidy_script}
    COMMENT "clang-tidy ${name}"
    VERBATIM)
  set(tidy_stamps ${tidy_stamps} ${stamp} PARENT_SCOPE)
endfunction()

# freehold_tidy_folder(FOLDER): batches of what the targets there compile and none before them does.
function(freehold_tidy_folder folder)
  set(groups "")
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(sources ${target} SOURCES)
    get_target_property(source_dir ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      if(NOT source MATCHES "\\.cc$" OR source MATCHES "[$]<")
        continue()
      endif()
      get_filename_component(source ${source} ABSOLUTE BASE_DIR ${source_dir})
      string(FIND ${source} ${PROJECT_BINARY_DIR}/ in_build)
      if(in_build EQUAL 0 OR source IN_LIST tidy_seen)
        continue()
      endif()
      list(APPEND tidy_seen ${source})
      file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
      get_filename_component(name ${name} DIRECTORY)
      string(REPLACE "/" "_" group batch_${target}_${name})
      if(NOT DEFINED ${group}_sources)
        list(APPEND groups ${group})
        string(REGEX MATCH "^[^/]*" ${group}_top ${name})
      endif()
      list(APPEND ${group}_sources ${source})
    endforeach()
  endforeach()

  foreach(group IN LISTS groups)
    list(LENGTH ${group}_sources length)
    set(first 0)
    set(number 0)
    while(first LESS length)
      list(SUBLIST ${group}_sources ${first} ${tidy_batch_size} batch)
      freehold_tidy(${${group}_top}/${group}_${number} ${batch})
      math(EXPR first "${first} + ${tidy_batch_size}")
      math(EXPR number "${number} + 1")
    endwhile()
  endforeach()

  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    freehold_tidy_folder(${subfolder})
  endforeach()
  set(tidy_seen ${tidy_seen} PARENT_SCOPE)
  set(tidy_stamps ${tidy_stamps} PARENT_SCOPE)
endfunction()

set(tidy_seen "")
set(tidy_stamps "")
freehold_tidy_folder(${PROJECT_SOURCE_DIR})
add_custom_target(tidy DEPENDS ${tidy_stamps})

if(FREEHOLD_BUILD_TESTS)
  add_test(NAME tidy COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target tidy)
  set_tests_properties(tidy PROPERTIES LABELS tidy TIMEOUT 3600)
endif()
