# Target `headers`: every public header compiles alone, and twice, with nothing but the public
# include folder. Not part of `all`.

file(GLOB_RECURSE headers CONFIGURE_DEPENDS
  RELATIVE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include/freehold/*.h)
set(units "")
foreach(header IN LISTS headers)
  set(unit ${PROJECT_BINARY_DIR}/header_check/${header}.cc)
  file(CONFIGURE OUTPUT ${unit} CONTENT
    "#include \"@header@\"\n#include \"@header@\"  // NOLINT: the guard holds\n" @ONLY)
  list(APPEND units ${unit})
endforeach()

if(units)
  add_library(freehold_header_check OBJECT EXCLUDE_FROM_ALL ${units})
  target_compile_features(freehold_header_check PRIVATE cxx_std_17)
  target_include_directories(freehold_header_check PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(freehold_header_check PRIVATE ${absl_public_targets} Threads::Threads)
  target_compile_options(freehold_header_check PRIVATE
    ${FREEHOLD_WARNINGS} ${FREEHOLD_PRODUCT_WARNINGS} -Werror)
  add_custom_target(headers DEPENDS freehold_header_check)
endif()
