# Three roles, each with what its commands do and no more:
#
#   writer    run, reconcile, tables build, anomalies ack    creates evidence, rewrites what is derived
#   reader    query, cat, verify, sources, replay            reads
#   expirer   expire                                         writes boundaries, deletes segments, revisions and older boundaries

locals {
  put_on = {
    writer  = [local.evidence, local.derived, "${local.objects}/README.md", "${local.objects}/verify.py"]
    reader  = []
    expirer = ["${local.objects}/evidence/boundaries/*"]
  }
  retain_on = {
    writer  = [local.evidence]
    reader  = []
    expirer = ["${local.objects}/evidence/boundaries/*"]
  }
  delete_on = {
    writer  = [local.derived] # tables that were joined, and what the probe of the store leaves
    reader  = []
    expirer = [for kind in ["segments", "revisions", "boundaries"] : "${local.objects}/evidence/${kind}/*"]
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = var.trusted_principals

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = each.value
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = var.trusted_principals

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

data "aws_iam_policy_document" "rights" {
  for_each = var.trusted_principals

  # Of the whole bucket, without a condition on the prefix: without it S3 answers 403 and not 404 to a key that is not there.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.archive.arn]
  }

  statement {
    sid       = "Get"
    actions   = ["s3:GetObject"]
    resources = ["${local.objects}/*"]
  }

  dynamic "statement" {
    for_each = length(local.put_on[each.key]) > 0 ? [1] : []

    content {
      sid       = "Put"
      actions   = ["s3:PutObject"]
      resources = local.put_on[each.key]
    }
  }

  # An object that is created with a lock (s3.objectLock) needs this right as well.
  dynamic "statement" {
    for_each = length(local.retain_on[each.key]) > 0 ? [1] : []

    content {
      sid       = "Lock"
      actions   = ["s3:PutObjectRetention"]
      resources = local.retain_on[each.key]
    }
  }

  dynamic "statement" {
    for_each = length(local.delete_on[each.key]) > 0 ? [1] : []

    content {
      sid       = "Delete"
      actions   = ["s3:DeleteObject"]
      resources = local.delete_on[each.key]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "Key"
      actions   = each.key == "reader" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }
}

resource "aws_iam_role_policy" "rights" {
  for_each = var.trusted_principals

  name   = "archive"
  role   = aws_iam_role.this[each.key].name
  policy = data.aws_iam_policy_document.rights[each.key].json
}
