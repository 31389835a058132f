# Target `tidy`: clang-tidy over every source file of ours that some target compiles. One stamp per
# file, so ninja runs them side by side and a second run checks only what changed. A changed header
# is taken to concern every file: clang-tidy does not say which ones include it.

find_program(FREEHOLD_CLANG_TIDY clang-tidy)
mark_as_advanced(FREEHOLD_CLANG_TIDY)
if(NOT FREEHOLD_CLANG_TIDY OR NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  return()
endif()

function(freehold_collect_sources dir out)
  set(found ${${out}})
  get_property(targets DIRECTORY ${dir} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(sources ${target} SOURCES)
    get_target_property(source_dir ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      if(source MATCHES "\\.cc$" AND NOT source MATCHES "[$]<")
        get_filename_component(source ${source} ABSOLUTE BASE_DIR ${source_dir})
        list(APPEND found ${source})
      endif()
    endforeach()
  endforeach()
  get_property(subdirs DIRECTORY ${dir} PROPERTY SUBDIRECTORIES)
  foreach(subdir IN LISTS subdirs)
    freehold_collect_sources(${subdir} found)
  endforeach()
  list(REMOVE_DUPLICATES found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

set(tidy_sources "")
freehold_collect_sources(${PROJECT_SOURCE_DIR} tidy_sources)
file(GLOB_RECURSE tidy_headers CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/tests/*.h
  ${PROJECT_SOURCE_DIR}/bench/*.h ${PROJECT_SOURCE_DIR}/examples/*.h)

file(GLOB tidy_configs CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/.clang-tidy ${PROJECT_SOURCE_DIR}/*/.clang-tidy)

# Before the first stamp, but no stamp is out of date because another file's command has changed.
set(tidy_commands ${PROJECT_BINARY_DIR}/tidy/compile_commands.json)
add_custom_command(OUTPUT ${tidy_commands}
  COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/tidy_commands.sh
          ${PROJECT_BINARY_DIR}/compile_commands.json ${PROJECT_BINARY_DIR}/tidy
  DEPENDS ${PROJECT_BINARY_DIR}/compile_commands.json
          ${PROJECT_SOURCE_DIR}/cmake/tidy_commands.sh
  COMMENT "clang-tidy's commands, one for each source"
  VERBATIM)
add_custom_target(tidy_commands DEPENDS ${tidy_commands})

set(stamps "")
foreach(source IN LISTS tidy_sources)
  string(FIND ${source} ${PROJECT_BINARY_DIR}/ in_build)
  if(in_build EQUAL 0)
    continue()
  endif()
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
  set(stamp ${PROJECT_BINARY_DIR}/tidy/${name}.stamp)
  add_custom_command(OUTPUT ${stamp}
    COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/tidy_one.sh
            ${FREEHOLD_CLANG_TIDY} ${PROJECT_BINARY_DIR}/tidy ${source} ${stamp}
    DEPENDS tidy_commands ${source} ${tidy_headers}
            ${tidy_configs}
            ${PROJECT_SOURCE_DIR}/cmake/tidy_one.sh
    COMMENT "clang-tidy ${name}"
    VERBATIM)
  list(APPEND stamps ${stamp})
endforeach()
add_custom_target(tidy DEPENDS ${stamps})

if(FREEHOLD_BUILD_TESTS)
  add_test(NAME tidy COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target tidy)
  set_tests_properties(tidy PROPERTIES LABELS tidy TIMEOUT 3600)
endif()
