# Target `tidy`: clang-tidy over every source file of ours that some target compiles, some of them at a
# time as one translation unit (tidy_batch.py says why). One stamp per batch, so ninja runs them side
# by side and a second run checks only what changed. A changed header is taken to concern every
# file: clang-tidy does not say which ones include it.

find_program(FREEHOLD_CLANG_TIDY clang-tidy)
find_program(FREEHOLD_PYTHON python3 HINTS /usr/bin)
mark_as_advanced(FREEHOLD_CLANG_TIDY FREEHOLD_PYTHON)
# With FREEHOLD_BATCH no target has the sources themselves.
if(NOT FREEHOLD_CLANG_TIDY OR NOT FREEHOLD_PYTHON OR NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang" OR
   FREEHOLD_BATCH GREATER 1)
  return()
endif()

set(tidy_folder ${PROJECT_BINARY_DIR}/tidy)
set(tidy_batch_size 32)
set(tidy_folder_min 8)
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

# freehold_tidy_collect(FOLDER): adds what the targets there compile to tidy_folders, a list of folders,
# and to the list tidy_in_FOLDER of each of them.
function(freehold_tidy_collect folder)
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
      if(in_build EQUAL 0)
        continue()
      endif()
      file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
      get_filename_component(name ${name} DIRECTORY)
      list(APPEND tidy_folders ${name})
      list(APPEND tidy_in_${name} ${source})
      set(tidy_in_${name} ${tidy_in_${name}} PARENT_SCOPE)
    endforeach()
  endforeach()

  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    freehold_tidy_collect(${subfolder})
  endforeach()
  foreach(name IN LISTS tidy_folders)
    set(tidy_in_${name} ${tidy_in_${name}} PARENT_SCOPE)
  endforeach()
  set(tidy_folders ${tidy_folders} PARENT_SCOPE)
endfunction()

set(tidy_folders "")
freehold_tidy_collect(${PROJECT_SOURCE_DIR})
list(REMOVE_DUPLICATES tidy_folders)

# Folders with few sources share a batch, if they are looked at by the same rules.
set(tidy_groups "")
foreach(folder IN LISTS tidy_folders)
  list(REMOVE_DUPLICATES tidy_in_${folder})
  list(LENGTH tidy_in_${folder} length)
  string(REGEX MATCH "^[^/]*" group ${folder})
  if(NOT length LESS ${tidy_folder_min})
    set(group ${folder})
  endif()
  list(APPEND tidy_groups ${group})
  list(APPEND tidy_sources_${group} ${tidy_in_${folder}})
endforeach()
list(REMOVE_DUPLICATES tidy_groups)

set(tidy_stamps "")
foreach(group IN LISTS tidy_groups)
  list(LENGTH tidy_sources_${group} length)
  string(REPLACE "/" "_" name ${group})
  string(REGEX MATCH "^[^/]*" top ${group})
  set(first 0)
  while(first LESS length)
    list(SUBLIST tidy_sources_${group} ${first} ${tidy_batch_size} batch)
    freehold_tidy(${top}/batch_${name}_${first} ${batch})
    math(EXPR first "${first} + ${tidy_batch_size}")
  endwhile()
endforeach()
add_custom_target(tidy DEPENDS ${tidy_stamps})

if(FREEHOLD_BUILD_TESTS)
  add_test(NAME tidy COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target tidy)
  set_tests_properties(tidy PROPERTIES LABELS tidy TIMEOUT 3600)
endif()
