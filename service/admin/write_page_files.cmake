# Writes OUT, the C++ that holds every file of FOLDER (see page_files.h), as bytes: nothing in them needs escaping then.
file(GLOB files RELATIVE ${FOLDER} ${FOLDER}/*)
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_svg "image/svg+xml")
set(arrays "")
set(rows "")
foreach(file IN LISTS files)
  file(READ ${FOLDER}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "[^a-z0-9]" "_" name ${file})
  string(REGEX REPLACE ".*\\." "" extension ${file})
  if(NOT DEFINED types_${extension})
    message(FATAL_ERROR "${file}: no content type is known for .${extension}")
  endif()
  string(APPEND arrays "constexpr unsigned char k_${name}[] = {\n${bytes}};\n")
  string(APPEND rows "      {\"${file}\", \"${types_${extension}}\", View(k_${name}, sizeof(k_${name}))},\n")
endforeach()
file(WRITE ${OUT}
"#include \"service/admin/page_files.h\"

namespace aulm::gateway {
namespace {

${arrays}
absl::string_view View(const unsigned char* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

const PageFile* FindPageFile(absl::string_view name) {
  static const PageFile kFiles[] = {
${rows}  };
  for (const PageFile& file : kFiles) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

}  // namespace aulm::gateway
")
