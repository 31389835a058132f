# cmake -P batch.cmake BATCH FOLDER SOURCE...
#
# Writes the texts of SOURCEs to the file BATCH, each with its unnamed namespace for itself. They are
# named as seen from FOLDER, where the compiler is started: the same for ccache in another clone.

cmake_minimum_required(VERSION 3.21)

set(batch ${CMAKE_ARGV3})
set(folder ${CMAKE_ARGV4})
math(EXPR last "${CMAKE_ARGC} - 1")

set(all "")
foreach(place RANGE 5 ${last})
  set(source ${CMAKE_ARGV${place}})
  file(RELATIVE_PATH name ${folder} ${source})
  file(READ ${source} text)
  string(PREPEND text "#line 1 \"${name}\"\n")
  # Where nothing follows the unnamed namespace, as in most tests, nobody else need see into it.
  set(begin "namespace { inline namespace source_${place} {")
  if(text MATCHES "\n}  // namespace(\n|\n} +// namespace [a-z_:]+)*$")
    set(begin "namespace { namespace source_${place} {")
  endif()
  string(REPLACE "\nnamespace {\n" "\n${begin}\n" text "${text}")
  string(REPLACE "\n}  // namespace\n" "\n}}  // namespace\n" text "${text}")
  string(APPEND all "${text}")
endforeach()
file(WRITE ${batch} "${all}")
