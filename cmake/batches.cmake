# freehold_batch(TARGET): with FREEHOLD_BATCH, up to so many of the target's sources are compiled at a
# time as one translation unit, because most of what a file costs goes into the headers it includes,
# however much of them is precompiled. To be called when the target has all its sources.
#
# A batch holds their texts (batch.cmake), made anew when one of them changes. Diagnostics, the places
# that tests print, and debuggers name the sources.
#
# Two things are hidden in a batch and seen in a build without: an include that is missing here but not
# in a file above, and an overload of another file's unnamed namespace that suits a call better.

set(freehold_batch_script ${CMAKE_CURRENT_LIST_DIR}/batch.cmake)

function(freehold_batch target)
  if(NOT FREEHOLD_BATCH GREATER 1)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  set(rest ${sources})
  list(FILTER sources INCLUDE REGEX "^[^$<>]*\\.cc$")
  list(REMOVE_ITEM rest ${sources})

  # As many as it takes, and all about equally long.
  list(LENGTH sources length)
  math(EXPR batches "(${length} + ${FREEHOLD_BATCH} - 1) / ${FREEHOLD_BATCH}")
  set(first 0)
  set(batch 0)
  while(batch LESS batches)
    math(EXPR size "(${length} - ${first}) / (${batches} - ${batch})")
    list(SUBLIST sources ${first} ${size} members)
    freehold_batch_source(file ${target}_${batch} ${members})
    list(APPEND rest ${file})
    math(EXPR first "${first} + ${size}")
    math(EXPR batch "${batch} + 1")
  endwhile()
  set_property(TARGET ${target} PROPERTY SOURCES ${rest})
endfunction()

# freehold_batch_source(OUT NAME SOURCE...): sets OUT to the file that holds them.
function(freehold_batch_source out name)
  list(LENGTH ARGN length)
  if(length EQUAL 1)
    set(${out} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  set(file ${CMAKE_CURRENT_BINARY_DIR}/batches/${name}.cc)
  set(sources "")
  set(options "")
  foreach(source IN LISTS ARGN)
    get_filename_component(source ${source} ABSOLUTE)
    list(APPEND sources ${source})
    # As where a source stands by itself, its own folder is looked in.
    get_filename_component(folder ${source} DIRECTORY)
    list(APPEND options -iquote${folder})
  endforeach()
  list(REMOVE_DUPLICATES options)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # To gcc a source that is named by a line of the batch is a header.
    list(APPEND options -Wno-subobject-linkage)
  endif()
  add_custom_command(OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -P ${freehold_batch_script} ${file} ${PROJECT_BINARY_DIR} ${sources}
    DEPENDS ${sources} ${freehold_batch_script}
    COMMENT "Batch ${name}"
    VERBATIM)
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${options}")
  set(${out} ${file} PARENT_SCOPE)
endfunction()
