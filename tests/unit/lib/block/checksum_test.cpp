#include "block/checksum.h"

#include <openssl/evp.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "block/sha256_lanes.h"

namespace mendfs {
namespace {

Digest one_shot(std::string_view text) {
  Digest digest;
  unsigned size = 0;
  REQUIRE(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                     nullptr) == 1);
  REQUIRE(size == digest.size());
  return digest;
}

std::string random_text(std::size_t size) {
  std::mt19937_64 random(size);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string hex(const Digest& digest) {
  std::string text;
  for (const std::byte b : digest) {
    text += "0123456789abcdef"[std::to_integer<int>(b) >> 4];
    text += "0123456789abcdef"[std::to_integer<int>(b) & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("the digest is SHA-256 as OpenSSL's one-shot call and the standard know it", "[checksum]") {
  CHECK(hex(sha256(bytes_of("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string text = random_text(size);
    REQUIRE(sha256(bytes_of(text)) == one_shot(text));
  }
}

TEST_CASE("the checksum of pieces is that of the whole", "[checksum]") {
  const std::string text = random_text(5000);
  const Buffer whole = Buffer::copy_of(bytes_of(text));
  for (const std::size_t cut : {0u, 1u, 300u, 4999u}) {
    const std::vector<Buffer> pieces = {whole.slice(0, cut), whole.slice(cut, 5000 - cut)};
    CHECK(checksum64(pieces) == checksum64(whole.view()));
    CHECK(checksum64(std::span(pieces).last(1)) == checksum64(pieces[1].view()));
  }
  CHECK(checksum64(std::vector<Buffer>{}) == checksum64(ByteView()));
}

TEST_CASE("each block has its digest, the last one filled up with zeros", "[checksum]") {
  for (const std::uint32_t block_size : {512u, 4096u, 65536u}) {
    for (const std::size_t size : {0u, 1u, 511u, 512u, 513u, 4096u, 5000u, 70000u, 131072u}) {
      const std::string text = random_text(size);
      const std::vector<Digest> digests = digests_of(bytes_of(text), block_size);
      REQUIRE(digests.size() == (size + block_size - 1) / block_size);
      for (std::size_t i = 0; i < digests.size(); ++i) {
        std::string block = text.substr(i * block_size, block_size);
        block.resize(block_size);
        REQUIRE(digests[i] == one_shot(block));
      }
    }
  }
}

TEST_CASE("many blocks at once have the digests they have one at a time", "[checksum]") {
  // Of every count up to twice the widest lanes, and at addresses that are not aligned.
  for (const std::uint32_t block_size : {512u, 1024u, 4096u}) {
    for (std::size_t count = 0; count <= 35; ++count) {
      const std::size_t shift = count % 7;
      const std::string text = random_text(shift + count * block_size);
      const ByteView blocks = bytes_of(text).subspan(shift);
      std::vector<Digest> expected(count);
      for (std::size_t i = 0; i < count; ++i) expected[i] = one_shot(text.substr(shift + i * block_size, block_size));
      CAPTURE(block_size, count);

      std::vector<Digest> found(count);
      const std::size_t done = sha256_lanes(blocks.data(), count, block_size, found.data());
      REQUIRE(done <= count);
      REQUIRE(std::equal(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(done), expected.begin()));
      REQUIRE(digests_of(blocks, block_size) == expected);
    }
  }
}

TEST_CASE("digests match only if every one is right and none is missing", "[checksum]") {
  const std::string text = random_text(200 * 512 + 100);
  const ByteView data = bytes_of(text);
  std::vector<Digest> digests = digests_of(data, 512);
  CHECK(digests_match(data, 512, digests));
  CHECK(digests_match({}, 512, {}));
  CHECK_FALSE(digests_match(data, 512, std::span(digests).first(200)));
  for (const std::size_t wrong : {0u, 63u, 64u, 130u, 199u, 200u}) {
    digests[wrong][5] ^= std::byte{1};
    CHECK_FALSE(digests_match(data, 512, digests));
    digests[wrong][5] ^= std::byte{1};
  }
  CHECK(digests_match(data, 512, digests));
}

TEST_CASE("the digest of zeros is that of zeros", "[checksum]") {
  for (std::uint32_t size = 512; size <= 1u << 20; size *= 2)
    CHECK(zero_digest(size) == one_shot(std::string(size, '\0')));
}

TEST_CASE("the header checksum is XXH3 and sees every flipped bit", "[checksum]") {
  // XXH3_64bits of nothing, from its specification: formats on disk depend on it.
  CHECK(checksum64(ByteView()) == 0x2d06800538d394c2ULL);
  std::string text = random_text(100);
  const std::uint64_t right = checksum64(bytes_of(text));
  for (std::size_t bit = 0; bit < 800; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    CHECK(checksum64(bytes_of(text)) != right);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace mendfs
