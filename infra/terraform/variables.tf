variable "name" {
  description = "The name of what is made here, and of the bucket, followed by the account's number."
  type        = string
  default     = "gleaner"
}

variable "prefix" {
  description = "Where in the bucket the archive lies: archive: s3://BUCKET/PREFIX. Empty: at its top."
  type        = string
  default     = "gleaner"

  validation {
    condition     = !startswith(var.prefix, "/") && !endswith(var.prefix, "/")
    error_message = "prefix: expected no slash at either end."
  }
}

variable "kms_key_arn" {
  description = "The key that objects are encrypted with. Null: S3's own (AES256)."
  type        = string
  default     = null
}

variable "trusted_principals" {
  description = "Who may take the roles, as ARNs: writer for collectors, reader for queries, expirer for the people who run `gleaner expire`."
  type = object({
    writer  = list(string)
    reader  = list(string)
    expirer = list(string)
  })
}

variable "reconcile" {
  description = "A scheduled `gleaner reconcile` on a mounted EFS filesystem. Null: none."
  type = object({
    image              = string # the image `collector`
    schedule           = optional(string, "rate(5 minutes)")
    file_system_id     = string
    logs_directory     = optional(string, "/")        # what is mounted at /logs
    config_directory   = optional(string, "/gleaner") # holds gleaner.yaml; mounted at /etc/gleaner
    user               = optional(string, "1000:1000")
    subnet_ids         = list(string)
    security_group_ids = list(string) # out: 443 to S3, 2049 to the filesystem, 6379 to Redis if there is one
  })
  default = null
}
